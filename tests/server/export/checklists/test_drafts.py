"""Drafts of STARD and CLAIM against the report they are filled from."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

import pytest
from lxml import html

from bs_server.export.checklists.claim import CLAIM
from bs_server.export.checklists.items import Checklist, Draft, FilledItem, State, fill
from bs_server.export.checklists.report_text import ReportText, plain
from bs_server.export.checklists.stard import STARD
from bs_server.report import render_report
from bs_server.report.places import PLACES
from bs_server.results.summary import Summary

Changed = Callable[..., Summary]
CHECKLISTS = (STARD, CLAIM)


def draft_of(checklist: Checklist, summary: Summary, page: str) -> Draft:
    return fill(checklist, summary, ReportText(page))


def row_of(draft: Draft, number: str) -> FilledItem:
    return next(row for row in draft.filled if row.item.number == number)


@cache
def section_text(page: str, anchor: str) -> str:
    """What stands in a section, read by another parser: its text and what figures say aloud."""
    (section,) = html.fromstring(page.encode()).xpath("//section[@aria-labelledby=$a]", a=anchor)
    spoken = section.xpath(".//@aria-label")
    return plain(" ".join([*section.itertext(), *spoken]))


@pytest.fixture(scope="module", params=CHECKLISTS, ids=lambda checklist: checklist.name)
def draft(request: pytest.FixtureRequest, summary: Summary, page: str) -> Draft:
    return draft_of(request.param, summary, page)


def test_stard_has_thirty_items_four_of_them_in_two_parts() -> None:
    halves = {"10", "12", "13", "21"}
    numbers = [
        part
        for n in map(str, range(1, 31))
        for part in ((f"{n}a", f"{n}b") if n in halves else (n,))
    ]

    assert [item.number for item in STARD.items] == numbers
    assert len(numbers) == 34


def test_claim_has_forty_four_items() -> None:
    assert [item.number for item in CLAIM.items] == [str(n) for n in range(1, 45)]


def test_every_value_of_a_draft_stands_in_the_section_that_it_names(
    draft: Draft, page: str
) -> None:
    facts = [fact for row in draft.filled for fact in row.facts]

    assert len(facts) > 60
    for fact in facts:
        assert PLACES[fact.anchor].kind == "section"
        text = section_text(page, fact.anchor)
        for value in fact.values:
            assert value
            assert re.search(rf"(?<![\w.]){re.escape(plain(value))}(?!\w)", text), fact


def test_every_item_that_has_a_value_names_its_source(draft: Draft) -> None:
    for row in draft.filled:
        assert bool(row.sources) == bool(row.facts) == (row.state is not State.AUTHOR)
        assert set(row.sources) == {fact.anchor for fact in row.facts}


def test_only_a_filled_item_leaves_nothing_to_the_authors(draft: Draft) -> None:
    assert all((row.state is State.FILLED) == (row.add == "") for row in draft.filled)


def test_settings_are_named_as_the_study_file_names_them(draft: Draft, summary: Summary) -> None:
    named = {name for row in draft.filled for names in row.sources.values() for name in names}

    assert named
    assert named <= set(type(summary.settings).model_fields)


def test_a_hidden_value_never_fills_an_item(summary: Summary, page: str, changed: Changed) -> None:
    answer = summary.external_sites[0].model_dump()
    answer |= dict.fromkeys(("auc", "auc_ci", "auc_bootstrap_ci", "fn"))
    answer["rates"]["tpr"] = {"value": None, "low": None, "high": None}
    names = ("auc", "auc_ci", "auc_bootstrap_ci", "fn", "rates.tpr")
    answer["hidden"] |= dict.fromkeys(names, "small_cell")

    # Not even where an older report still shows it.
    draft = draft_of(STARD, changed(external=answer, external_sites=[]), page)

    assert row_of(draft, "1").state is State.AUTHOR
    assert row_of(draft, "23").state is State.AUTHOR
    assert row_of(draft, "24").state is State.PARTLY
    assert "External AUC" in row_of(draft, "24").add
    assert "True positive rate (sensitivity)" in row_of(draft, "24").add


def test_what_the_report_shows_whole_is_filled(summary: Summary, changed: Changed) -> None:
    namur = summary.external_sites[0].model_dump()
    namur["hidden"].pop("refused.E_VANISHED")
    namur["refused"] = {"E_VANISHED": 7}
    sites = [site.model_dump() for site in summary.sites]
    sites[0]["cohort"][1]["metastasis"] = 58
    sites[0]["hidden"] = {}
    found = changed(external=namur, external_sites=[namur], sites=sites)
    page = render_report(found)

    stard, claim = (draft_of(checklist, found, page) for checklist in CHECKLISTS)

    assert {row.item.number for row in stard.filled if row.state is State.FILLED} == {
        *("14", "16", "19", "23", "24"),
    }
    assert {row.item.number for row in claim.filled if row.state is State.FILLED} == {
        *("9", "12", "20", "22", "23", "24", "25", "26", "27", "28", "29"),
        *("31", "32", "33", "35", "37", "38"),
    }


def test_a_hidden_count_of_scans_is_left_to_the_authors(summary: Summary, page: str) -> None:
    row = row_of(draft_of(CLAIM, summary, page), "35")

    assert row.state is State.PARTLY
    assert "Scans of aachen, validation" in row.add


def test_a_value_that_the_report_does_not_show_fills_nothing(summary: Summary, page: str) -> None:
    assert summary.weights_sha256 is not None
    other = page.replace(summary.weights_sha256, "f" * 64)

    assert row_of(draft_of(CLAIM, summary, page), "27").state is State.FILLED
    assert row_of(draft_of(CLAIM, summary, other), "27").state is State.AUTHOR


def test_a_value_in_another_section_does_not_count(page: str) -> None:
    shown = ReportText(page)

    assert shown.holds("external", "TP") != shown.holds("digests", "TP")
    assert shown.holds("digests", "1" * 64)
    assert not shown.holds("methods", "1" * 64)
    assert not shown.holds("nowhere", "1" * 64)


def test_a_part_of_a_number_is_not_that_number(page: str) -> None:
    shown = ReportText(page)

    assert shown.holds("cohort", "668")
    assert not shown.holds("cohort", "66")
    assert not shown.holds("cohort", "68")


def test_a_study_without_an_external_result_leaves_its_items_to_the_authors(
    changed: Changed, page: str
) -> None:
    summary = changed(external=None, external_sites=[], outcome="waiting_for_external")

    stard, claim = (draft_of(checklist, summary, page) for checklist in CHECKLISTS)

    for row in (row_of(stard, "23"), row_of(stard, "24"), row_of(claim, "33"), row_of(claim, "37")):
        assert (row.state, row.facts) == (State.AUTHOR, ())
        assert row.add
    assert row_of(claim, "32").state is State.FILLED


def test_states_are_counted_and_no_share_is_made_of_them(draft: Draft) -> None:
    assert sum(draft.count(state) for state in State) == len(draft.checklist.items)
