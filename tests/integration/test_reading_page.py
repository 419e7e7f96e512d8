"""The reading page in Chromium: exact grey values, keys, the model's result, small screens."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Browser, BrowserContext, Page, expect

from bs_client.phantom import STYLES
from bs_client.phantom.cohort import CohortCounts, write_cohort
from support.chromium import chromium
from support.predictions import write_predictions
from support.served_study import ServedStudy, bs_client

pytestmark = pytest.mark.integration
# The canvas as it was painted, before the browser scales it for the screen.
READ_PIXELS = """(view) => {
  const canvas = document.querySelector(`canvas[data-view=${view}][data-window=first]`);
  const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let text = "";
  for (let place = 0; place < data.length; place++) text += String.fromCharCode(data[place]);
  return [canvas.height, canvas.width, btoa(text)];
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedStudy]:
    """A study of two cases whose readers see the model; every test is a reader of its own."""
    root = tmp_path_factory.mktemp("page")
    counts = CohortCounts(external_positive=2, external_negative=2)
    labels = write_cohort(
        root / "data", style=STYLES["namur"], counts=counts, seed=2, preset="conspicuous"
    )
    (root / "model").mkdir()
    write_predictions(root / "model", labels)
    options = ("--cases", "1+1", "--practice", "0", "--with-ai", "--model", root / "model")
    source = (root / "data/scans", "--labels", labels)
    bs_client("reader-study", "new", root / "study", *source, *options)
    study = ServedStudy(root / "study")
    study.start()
    yield study
    study.stop()


def open_page(served: ServedStudy, context: BrowserContext, reader: str) -> Page:
    page = context.new_page()
    link = bs_client(
        "reader-study", "link", served.folder, "--reader", reader, "--address", served.address
    )
    page.goto(link.split()[-1])
    page.get_by_role("button", name="Enter").click()
    return page


def first_case(served: ServedStudy, context: BrowserContext, reader: str) -> Page:
    page = open_page(served, context, reader)
    page.get_by_role("button", name="Begin").click()
    expect(page.locator("canvas[data-view=anterior]")).to_be_visible()
    return page


def new_context(browser: Browser, width: int = 1366, height: int = 768) -> BrowserContext:
    return browser.new_context(viewport={"width": width, "height": height})


def painted(page: Page, view: str) -> NDArray[np.uint8]:
    """Give the canvas of a view, (rows, columns, 4)."""
    rows, columns, text = page.evaluate(READ_PIXELS, view)
    return np.frombuffer(base64.b64decode(text), np.uint8).reshape(rows, columns, 4)


def stored(served: ServedStudy, page: Page) -> dict[str, NDArray[np.uint16]]:
    """Give the case's counts from the study's folder; both views have one size here."""
    code = page.locator("#case-name").inner_text().split()[-1]
    counts = np.fromfile(served.folder / f"cases/{code}.u16", "<u2").reshape(2, 1024, -1)
    return {"anterior": counts[0], "posterior": counts[1]}


def expected(
    counts: NDArray[np.uint16], lower: int, upper: int, *, root: bool, inverted: bool
) -> NDArray[np.float64]:
    """The mapping in the words of the page's help, worked with numpy."""
    share = np.clip((counts.astype(float) - lower) / (upper - lower), 0, 1)
    share = np.sqrt(share) if root else share
    return np.floor(255 * (1 - share if inverted else share) + 0.5)


def test_every_pixel_is_the_exact_mapping_of_its_16_bit_count(
    served: ServedStudy, browser: Browser
) -> None:
    with new_context(browser) as context:
        page = first_case(served, context, "R1")
        counts = stored(served, page)
        highest = max(int(view.max()) for view in counts.values())
        root, inverted = False, True
        middle = highest // 2
        windows = (
            (0, middle, "l"),
            (3, 6, "l"),
            (2, middle, "q"),
            (0, highest, "q"),
            (5, highest - 1, "i"),
            (0, 1, "l"),
        )
        for lower, upper, key in windows:
            # The upper level stays above the lower one, so the lower one makes room first.
            for level, counts_at in (("lower", 0), ("upper", upper), ("lower", lower)):
                page.locator(f"#{level}-number").fill(str(counts_at))
                page.locator(f"#{level}-number").press("Tab")
            page.locator("#views").focus()
            page.keyboard.press(key)
            root = {"l": False, "q": True}.get(key, root)
            inverted = inverted if key != "i" else not inverted
            for name, view in counts.items():
                grey = expected(view, lower, upper, root=root, inverted=inverted)
                pixels = painted(page, name)
                assert (pixels[..., :3] == grey[..., np.newaxis]).all()
                assert (pixels[..., 3] == 255).all()


def test_the_first_window_ends_at_the_995th_of_a_thousand_and_is_black_on_white(
    served: ServedStudy, browser: Browser
) -> None:
    with new_context(browser) as context:
        page = first_case(served, context, "R2")
        counts = stored(served, page)
        both = np.concatenate([view.ravel() for view in counts.values()])
        upper = round(float(np.percentile(both[both > 0], 99.5)))

        expect(page.locator("#upper-number")).to_have_value(str(upper))
        grey = expected(counts["posterior"], 0, upper, root=False, inverted=True)
        assert (painted(page, "posterior")[..., 0] == grey).all()
        beside = "(one) => getComputedStyle(one).backgroundColor"
        black_bone = page.locator(".frame").first.evaluate(beside)
        page.keyboard.press("i")
        white_bone = page.locator(".frame").first.evaluate(beside)
        assert (black_bone, white_bone) == ("rgb(255, 255, 255)", "rgb(0, 0, 0)")


def test_the_model_is_shown_after_the_own_answer_and_a_comment_runs_nothing(
    served: ServedStudy, browser: Browser
) -> None:
    with new_context(browser) as context:
        page = first_case(served, context, "R3")
        alerts: list[str] = []
        page.on("dialog", lambda dialog: alerts.append(dialog.message))
        expect(page.locator("#model")).to_be_hidden()
        page.keyboard.press("Enter")
        expect(page.get_by_text("Please give a likelihood and your call.")).to_be_visible()
        page.keyboard.type("64")
        page.keyboard.press("m")
        page.keyboard.press("c")
        page.keyboard.type("<img src=x onerror=alert(1)><script>alert(2)</script>")
        page.keyboard.press("Control+Enter")

        expect(page.locator("#model")).to_be_visible()
        expect(page.locator("#own-answer")).to_have_text("64, metastasis")
        expect(page.locator("#map")).to_be_visible()
        assert page.locator("#map").evaluate("(image) => image.naturalWidth") > 500
        for part in ("#views", "#map", "#upper"):  # feet and levels are in sight beside the map
            box = page.locator(part).bounding_box()
            assert box is not None
            assert box["y"] + box["height"] <= 768
        page.reload()
        expect(page.locator("#model")).to_be_visible()
        expect(page.locator("#comment")).to_have_value(
            "<img src=x onerror=alert(1)><script>alert(2)</script>"
        )
        assert alerts == []


def test_both_views_zoom_and_move_together_and_reset(served: ServedStudy, browser: Browser) -> None:
    with new_context(browser) as context:
        page = first_case(served, context, "R4")

        def places() -> list[str]:
            return [
                canvas.evaluate("(one) => one.style.transform")
                for canvas in page.locator("canvas[data-window=first]").all()
            ]

        before = places()
        for key in ("+", "+", "ArrowLeft", "ArrowDown"):
            page.keyboard.press(key)
        moved = places()
        page.keyboard.press("d")
        assert page.locator("canvas").count() == 5  # four, and the hidden grey steps
        page.keyboard.press("r")

        assert all(a != b for a, b in zip(before, moved, strict=True))
        assert {place.partition("scale")[2] for place in moved} == {moved[0].partition("scale")[2]}
        assert places() == before


def test_a_pause_hides_the_scan(served: ServedStudy, browser: Browser) -> None:
    with new_context(browser) as context:
        page = first_case(served, context, "R5")
        page.keyboard.press("p")
        expect(page.get_by_role("heading", name="Paused")).to_be_visible()
        ground = page.locator("#pause-dialog").evaluate(
            "(dialog) => getComputedStyle(dialog, '::backdrop').backgroundColor"
        )
        page.reload()

        assert ground == "rgb(35, 39, 43)"  # opaque
        expect(page.get_by_role("heading", name="Paused")).to_be_visible()
        page.keyboard.press("p")
        expect(page.get_by_role("heading", name="Paused")).to_be_hidden()


def test_a_small_screen_is_refused_politely_and_no_clock_starts(
    served: ServedStudy, browser: Browser
) -> None:
    with new_context(browser, 390, 844) as context:
        asked: list[str] = []
        context.on("request", lambda request: asked.append(request.url))
        page = open_page(served, context, "R6")

        expect(page.get_by_role("heading", name="Please use a larger screen")).to_be_visible()
        expect(page.locator("#app")).to_be_hidden()
        assert not [url for url in asked if "/api/" in url]
        page.set_viewport_size({"width": 1366, "height": 768})
        expect(page.get_by_role("button", name="Begin")).to_be_visible()
