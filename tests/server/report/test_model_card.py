from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser

import pytest

from bs_server.release import describe_model
from bs_server.report.model_card import CardFormat, render_card
from bs_server.results.summary import Summary

VOID = {"meta", "br", "img"}


class Balance(HTMLParser):
    """Follows open elements and collects their text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def card(summary: Summary, form: CardFormat) -> str:
    best = next(entry for entry in summary.rounds if entry.round == summary.best_round)
    model = describe_model(summary, best, summary_sha256="5" * 64)
    return render_card(summary, model, key_sha256="9" * 64, form=form)


@pytest.mark.parametrize("form", CardFormat)
def test_the_card_shows_the_summary_s_figures(summary: Summary, form: CardFormat) -> None:
    text = card(summary, form)

    for figure in ("0.896", "0.877", "0.916", "82.24", "411", "0.8329", "9" * 64, "5" * 64):
        assert figure in text


@pytest.mark.parametrize("form", CardFormat)
def test_a_real_study_s_card_does_not_speak_of_synthetic_scans(
    summary: Summary, form: CardFormat
) -> None:
    assert "ynthetic scans: no clinical" not in card(summary, form)


@pytest.mark.parametrize("form", CardFormat)
def test_a_synthetic_study_s_card_says_so(
    changed: Callable[..., Summary], form: CardFormat
) -> None:
    text = card(changed(synthetic=True), form)

    assert "Synthetic scans: no clinical claim" in text
    assert "say nothing about patients" in " ".join(text.split())


@pytest.mark.parametrize("form", CardFormat)
def test_every_card_says_not_for_diagnosis(summary: Summary, form: CardFormat) -> None:
    assert "Not for diagnosis" in card(summary, form)


@pytest.mark.parametrize("form", CardFormat)
def test_what_a_site_sent_cannot_become_markup(
    changed: Callable[..., Summary], form: CardFormat
) -> None:
    text = card(changed(differences=["<script>alert(1)</script>"]), form)

    assert "<script>" not in text
    assert "&lt;script&gt;" in text


def test_a_card_without_external_test_says_that_nobody_tested_it(
    changed: Callable[..., Summary],
) -> None:
    assert "No site has tested it" in card(changed(external=None), CardFormat.MARKDOWN)


def test_the_page_is_well_formed_and_refers_to_nothing_outside(summary: Summary) -> None:
    page = card(summary, CardFormat.PAGE)

    parser = Balance()
    parser.feed(page)
    assert parser.open == []
    assert not re.search(r"(src|href)=|url\(|https?://", page)


def test_every_row_of_a_markdown_table_has_its_columns(summary: Summary) -> None:
    blocks = re.findall(r"(?:^\|.*\n)+", card(summary, CardFormat.MARKDOWN), re.MULTILINE)

    assert len(blocks) == 4
    for block in blocks:
        assert len({row.count("|") for row in block.splitlines()}) == 1
