from __future__ import annotations

import re

from bs_server.report import render_report
from bs_server.report.places import PLACES, SECTIONS
from bs_server.results.summary import Summary


def _ids(page: str) -> list[str]:
    return re.findall(r'<(?:h2|figure|table|p)[^>]* id="([^"]*)"', page)


def test_every_place_stands_in_the_page_once_and_in_order(full_page: str) -> None:
    found = [anchor for anchor in _ids(full_page) if anchor in PLACES]

    assert found == list(PLACES)


def test_a_place_that_cannot_be_shown_says_why_under_its_anchor(summary: Summary) -> None:
    page = render_report(summary.model_copy(update={"audit": None}))

    found = [anchor for anchor in _ids(page) if anchor in PLACES]
    assert found == list(PLACES)
    assert re.search(r'<p id="agreement-table".*is not shown: no scan with metastasis has', page)
    assert re.search(r'<p id="audit-table".*is not shown: no audit log', page)


def test_figures_and_tables_are_numbered_in_the_order_of_the_page() -> None:
    for kind in ("figure", "table"):
        numbers = [place.number for place in PLACES.values() if place.kind == kind]
        assert numbers == list(range(1, len(numbers) + 1))
    assert PLACES["cohort-table"].label == "Table 1"
    assert PLACES["external"].label == "External result"


def test_the_contents_lead_to_every_section_in_the_order_of_the_page(full_page: str) -> None:
    contents = full_page[full_page.index('id="contents"') : full_page.index("</nav>")]

    assert re.findall(r'href="#([^"]*)"', contents) == [place.anchor for place in SECTIONS]


def test_the_contents_name_no_section_that_is_not_there(summary: Summary) -> None:
    page = render_report(summary.model_copy(update={"external": None, "external_sites": []}))

    assert set(re.findall(r'href="#([^"]*)"', page)) <= set(re.findall(r' id="([^"]*)"', page))


def test_captions_carry_the_label_of_their_place(full_page: str) -> None:
    for place in PLACES.values():
        if place.kind != "section":
            assert f"<b>{place.label}.</b>" in full_page
