"""How fast a case stands on the reading page: python tests/benchmarks/reading_page.py [CASES].

Measured in Chromium by the page's own clock: from the click on Begin to the first painted scan,
and from Enter to the next one painted, which was fetched ahead.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from playwright.sync_api import Page

from bs_client.phantom import STYLES
from bs_client.phantom.cohort import CohortCounts, write_cohort
from support.chromium import chromium
from support.served_study import ServedStudy, bs_client

LIMITS_MS = {"first image": 1000, "next case": 200}
# Notes when a new scan was painted: two frames after its canvas came into the page.
WATCH = """() => {
  window.painted = new Promise((done) => {
    const seen = document.querySelector("canvas[data-view=anterior]");
    new MutationObserver((changes, observer) => {
      const now = document.querySelector("canvas[data-view=anterior]");
      if (!now || now === seen) return;
      observer.disconnect();
      requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now())));
    }).observe(document.getElementById("views"), {childList: true});
  });
  const start = (event) => {
    if (event.type === "keydown" && event.key !== "Enter") return;
    window.started ??= performance.now();
  };
  window.started = undefined;
  for (const kind of ["click", "keydown"]) document.addEventListener(kind, start, {capture: true});
}"""
MEASURE = "() => window.painted.then((end) => end - window.started)"


def measure(page: Page, act: str) -> float:
    page.evaluate(WATCH)
    if act == "begin":
        page.get_by_role("button", name="Begin").click()
    else:
        page.keyboard.press("Enter")
    milliseconds: float = page.evaluate(MEASURE)
    return milliseconds


def main() -> None:
    cases = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        served = make(Path(folder), cases)
        try:
            firsts, nexts = read(served, browser.new_page(viewport={"width": 1366, "height": 768}))
        finally:
            served.stop()
    for name, values in (("first image", firsts), ("next case", nexts)):
        worst, middle = max(values), statistics.median(values)
        print(
            f"{name}: median {middle:.0f} ms, slowest {worst:.0f} ms of {len(values)}; "
            f"wanted below {LIMITS_MS[name]} ms"
        )


def make(root: Path, cases: int) -> ServedStudy:
    half = cases // 2
    counts = CohortCounts(external_positive=half + 4, external_negative=half + 4)
    labels = write_cohort(
        root / "data", style=STYLES["namur"], counts=counts, seed=4, preset="realistic"
    )
    options = ("--cases", f"{half}+{half}", "--practice", "0", "--readers", "1")
    bs_client(
        "reader-study", "new", root / "study", root / "data/scans", "--labels", labels, *options
    )
    served = ServedStudy(root / "study")
    served.start()
    return served


def read(served: ServedStudy, page: Page) -> tuple[list[float], list[float]]:
    page.goto(served.links()["R1"])
    page.get_by_role("button", name="Enter").click()
    page.get_by_role("button", name="Begin").wait_for()
    firsts, nexts = [measure(page, "begin")], list[float]()
    while True:
        page.wait_for_timeout(400)  # a reader looks longer than this; the next case is there then
        page.keyboard.type("50")
        page.keyboard.press("n")
        if page.locator("#case-count").inner_text().split()[0] == str(len(served_cases(served))):
            return firsts, nexts
        nexts.append(measure(page, "next"))


def served_cases(served: ServedStudy) -> list[Path]:
    return list((served.folder / "cases").iterdir())


if __name__ == "__main__":
    main()
