"""The report in Chromium: nothing is wider than the screen or the sheet that shows it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from bs_server.report import render_report
from bs_server.results.summary import Summary
from support.chromium import chromium

pytestmark = pytest.mark.integration

LONG = "universitair-ziekenhuis-antwerpen"[:32]
A4_TEXT_PX = 673  # 210 mm less the margins of the page's style, at 96 dpi
TOO_WIDE = """() => [...document.querySelectorAll(".scroll, figure, svg, .page, p, h2")]
  .filter((one) => one.scrollWidth > one.clientWidth + 1
    || one.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
  .map((one) => one.id || one.querySelector("[id]")?.id || one.textContent.slice(0, 60))"""


@pytest.fixture(scope="module")
def crowded(two_judges: Summary, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a study with long names, many reasons and hidden cells."""
    fields = json.loads(two_judges.model_dump_json().replace("liege", LONG))
    result = fields["external_sites"][1]
    hidden = [f"subgroup.sex.female.{cell}" for cell in ("tp", "fn", "tn", "fp")]
    result["subgroups"][0] |= dict.fromkeys(("tp", "fn", "tn", "fp"))
    result["hidden"] = dict.fromkeys(hidden, "small_cell")
    codes = [f"E_A_REASON_WITH_A_LONG_NAME_{number}" for number in range(9)]
    fields["sites"][0]["refused"] = dict.fromkeys(codes, 1234)
    fields["sites"][0]["device"] = "NVIDIA H100 PCIe (80 GB), CUDA 12.4"
    page = render_report(Summary.model_validate_json(json.dumps(fields)))
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(page, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.mark.parametrize(
    ("width", "medium"), [(1440, "screen"), (1024, "screen"), (A4_TEXT_PX, "print")]
)
def test_nothing_is_wider_than_what_shows_it(
    crowded: Path, browser: Browser, width: int, medium: str
) -> None:
    with browser.new_context(viewport={"width": width, "height": 900}) as context:
        page = context.new_page()
        page.emulate_media(media=medium)  # type: ignore[arg-type]
        page.goto(crowded.as_uri())

        assert page.evaluate(TOO_WIDE) == []


def test_no_figure_is_taller_than_a_sheet(crowded: Path, browser: Browser) -> None:
    with browser.new_context(viewport={"width": A4_TEXT_PX, "height": 900}) as context:
        page = context.new_page()
        page.emulate_media(media="print")
        page.goto(crowded.as_uri())

        heights = page.evaluate(
            "() => [...document.querySelectorAll('figure')].map((one) => one.offsetHeight)"
        )
        assert max(heights) < 960  # 297 mm less margins and the banner
