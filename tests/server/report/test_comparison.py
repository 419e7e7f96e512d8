"""What the report and the tables say of models judged side by side."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest

from bs_server.report import render_report
from bs_server.report.comparison import (
    comparison_csv,
    comparison_figure,
    comparison_view,
    lead_sentence,
    ordered,
)
from bs_server.results.comparison import AucDifference, Comparison, ComparisonRow
from bs_server.results.summary import Summary

Changed = Callable[..., Summary]

TABLE = {"tp": 338, "fn": 73, "tn": 472, "fp": 115}
HIDDEN = dict.fromkeys(TABLE, "small_cell")


def row(model: Any = "federated", site: str | None = None, **changes: Any) -> ComparisonRow:
    fields: dict[str, Any] = {
        "model": model,
        "site": site,
        "seed": 7,
        "evaluate_site": "namur",
        "weights_sha256": "a" * 64,
        "auc": 0.8964,
        "auc_low": 0.8772,
        "auc_high": 0.9156,
        "difference": None,
        "threshold": 0.5,
        **TABLE,
    }
    return ComparisonRow.model_validate(fields | changes)


def gain(value: float, half: float, p: float) -> AucDifference:
    return AucDifference(value=value, low=value - half, high=value + half, p=p)


def local(site: str, difference: AucDifference, **changes: Any) -> ComparisonRow:
    area = {"auc": 0.85, "auc_low": 0.83, "auc_high": 0.87, "difference": difference}
    return row("local", site, **area | changes)


TWO = Comparison(
    rows=[
        row(),
        local("aalborg", gain(0.0464, 0.02, 0.00002), rounded_to=5),
        local("aachen", gain(0.01, 0.02, 0.3271), **dict.fromkeys(TABLE), hidden=HIDDEN),
    ],
    left_out={"bonn": "policy_local"},
)


def test_without_a_comparison_the_report_says_how_to_get_one(changed: Changed) -> None:
    page = render_report(changed(comparison=None))

    assert re.search(r'<p id="comparison-table".*is not shown: .*compare_local', page)


def test_the_report_shows_every_model_with_its_difference(changed: Changed) -> None:
    page = render_report(changed(comparison=TWO.model_dump()))

    section = page[page.index('id="comparison"') :]
    text = unescape(re.sub(r"<[^>]+>", " ", section)).replace("\N{EN DASH}", "-")
    text = text.replace("\N{MINUS SIGN}", "-")
    text = " ".join(text.split())
    assert "lies above zero (federation gained) in 1, below zero in 0, and holds zero in 1" in text
    assert (
        "aalborg alone 0.850 (0.830-0.870) +0.046 (+0.026 to +0.066) <0.001 82.2 % 80.4 %" in text
    )
    assert (
        "aachen alone 0.850 (0.830-0.870) +0.010 (-0.010 to +0.030) 0.327 hidden (small count)"
        in text
    )
    assert "No model of bonn alone: its policy does not let a model of its scans alone out" in text
    assert "the middle of at least 5 possible ones" in text
    assert section.count("<svg") == 1


def test_rows_stand_by_judge_then_model_the_federated_first() -> None:
    shuffled = Comparison(
        rows=[*reversed(TWO.rows), row("centralised", difference=gain(0, 0.1, 1))]
    )

    names = [line.model for line in (comparison_view(shuffled) or pytest.fail()).lines]

    assert names == ["federated", "all scans in one place", "aachen alone", "aalborg alone"]


def test_seeds_and_judges_are_named_only_where_there_are_several() -> None:
    one = comparison_view(TWO)
    several = comparison_view(
        Comparison(rows=[*TWO.rows, row(seed=8), row(seed=8, evaluate_site="ghent")])
    )

    assert one is not None
    assert several is not None
    assert (one.has_seeds, one.has_sites) == (False, False)
    assert (several.has_seeds, several.has_sites) == (True, True)


def test_the_lead_counts_losses_too() -> None:
    worse = local("bonn", gain(-0.1, 0.05, 0.001))

    said = lead_sentence([*TWO.rows, worse])

    assert "Of 3 comparisons" in said
    assert "below zero in 1" in said


def test_the_figure_says_its_areas_to_those_who_do_not_see_it() -> None:
    drawn = comparison_figure(TWO)

    assert drawn is not None
    assert "federated 0.896; aachen alone 0.850; aalborg alone 0.850" in drawn


def test_there_is_no_figure_of_one_model_or_of_hidden_areas() -> None:
    nothing = dict.fromkeys(("auc", "auc_low", "auc_high", "difference"))
    hidden = dict.fromkeys(nothing, "small_cell")
    rows = [row(**nothing, hidden=hidden), row("local", "bonn", **nothing, hidden=hidden)]

    assert comparison_figure(Comparison(rows=[row()])) is None
    assert comparison_figure(Comparison(rows=rows)) is None
    (_, line) = (comparison_view(Comparison(rows=rows)) or pytest.fail()).lines
    assert (line.auc, line.difference) == ("hidden (small count)", "hidden (small count)")


def test_the_csv_holds_every_number_unrounded() -> None:
    table = list(csv.DictReader(io.StringIO(comparison_csv(TWO))))

    assert [entry["site"] for entry in table] == ["", "aachen", "aalborg"]
    aalborg = table[2]
    first = ordered(TWO)[2]
    assert first.difference is not None
    assert float(aalborg["difference_low"]) == first.difference.low
    assert float(aalborg["auc"]) == 0.85
    assert (aalborg["tp"], aalborg["rounded_to"]) == ("338", "5")
    assert (table[1]["tp"], table[1]["hidden"]) == ("", "fn fp tn tp")
