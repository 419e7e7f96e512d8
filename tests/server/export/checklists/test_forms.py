"""A draft as Markdown and as a Word document."""

from __future__ import annotations

import datetime
import io
import re
from collections.abc import Callable
from html import escape

import docx
import pytest

from bs_server.export.checklists.claim import CLAIM
from bs_server.export.checklists.items import Draft, State, fill
from bs_server.export.checklists.markdown import write_markdown
from bs_server.export.checklists.report_text import ReportText
from bs_server.export.checklists.stard import STARD
from bs_server.export.checklists.word import write_word
from bs_server.export.checklists.wording import SYNTHETIC
from bs_server.results.summary import Summary

Changed = Callable[..., Summary]
FINISHED = datetime.datetime(2026, 3, 1, 9, 31, tzinfo=datetime.UTC)


@pytest.fixture(scope="module")
def report(page: str) -> ReportText:
    return ReportText(page)


@pytest.fixture(scope="module", params=[STARD, CLAIM], ids=lambda checklist: checklist.name)
def draft(request: pytest.FixtureRequest, summary: Summary, report: ReportText) -> Draft:
    return fill(request.param, summary, report)


@pytest.fixture(scope="module")
def markdown(draft: Draft) -> str:
    return write_markdown(draft, report="../report.html")


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def rows(markdown: str) -> list[list[str]]:
    lines = [line for line in markdown.splitlines() if line.startswith("|")]
    return [cells(line) for line in lines]


def word_rows(draft: Draft) -> list[list[str]]:
    document = docx.Document(io.BytesIO(write_word(draft, finished=FINISHED)))
    (table,) = document.tables
    return [[cell.text for cell in row.cells] for row in table.rows]


def test_markdown_has_a_row_for_every_item(draft: Draft, markdown: str) -> None:
    numbered = [row for row in rows(markdown)[2:] if row[0]]

    assert {len(row) for row in rows(markdown)} == {6}
    assert [row[0] for row in numbered] == [item.number for item in draft.checklist.items]
    assert [row[2] for row in numbered] == [row.state for row in draft.filled]


def test_markdown_points_into_the_report(draft: Draft, markdown: str) -> None:
    anchors = {anchor for row in draft.filled for anchor in row.sources}

    assert set(re.findall(r"\(\.\./report\.html#([a-z-]+)\)", markdown)) == anchors


def test_the_word_document_says_the_same_as_the_markdown(draft: Draft) -> None:
    items = [row for row in word_rows(draft)[1:] if len(set(row)) > 1]

    assert [row[:3] for row in items] == [
        [row.item.number, row.item.asks, row.state] for row in draft.filled
    ]
    assert [row[3] for row in items] == ["\n".join(row.statements) for row in draft.filled]
    assert [row[4] for row in items] == [row.add for row in draft.filled]
    for row, filled in zip(items, draft.filled, strict=True):
        assert all(f"report.html#{anchor}" in row[5] for anchor in filled.sources)


def test_the_word_document_repeats_its_heading_on_every_page(draft: Draft) -> None:
    document = docx.Document(io.BytesIO(write_word(draft, finished=FINISHED)))
    (table,) = document.tables

    assert "w:tblHeader" in table.rows[0]._tr.xml
    assert document.core_properties.created == FINISHED


def test_a_draft_of_synthetic_scans_says_so(changed: Changed, report: ReportText) -> None:
    draft = fill(STARD, changed(synthetic=True), report)
    document = docx.Document(io.BytesIO(write_word(draft, finished=FINISHED)))

    assert SYNTHETIC in write_markdown(draft, report="report.html")
    assert SYNTHETIC in [paragraph.text for paragraph in document.paragraphs]


def test_markup_in_what_a_site_says_stays_text(summary: Summary, changed: Changed) -> None:
    evil = "a|b <script>x</script> [c](d) {0}"
    sites = [site.model_dump() for site in summary.sites]
    sites[0]["device"] = evil
    page = f'<section><h2 id="versions">Versions</h2><p>{escape(evil)}</p></section>'
    draft = fill(CLAIM, changed(sites=sites), ReportText(page))

    markdown = write_markdown(draft, report="report.html")

    assert evil in " ".join(text for row in word_rows(draft) for text in row)
    assert "<script" not in markdown
    assert {len(row) for row in rows(markdown)} == {6}
    assert r"a\|b &lt;script&gt;x&lt;/script&gt; \[c\](d) {0}" in markdown


def test_the_notes_count_states_and_give_no_share(draft: Draft, markdown: str) -> None:
    counts = ", ".join(f"{draft.count(state)} {state}" for state in State)

    assert counts in markdown
    assert not re.search(r"\d+ ?% (filled|of the items)", markdown)
