"""The evidence beside the external result: calibration, net benefit, subgroups, maps."""

from __future__ import annotations

import re

import pytest
from statsmodels.stats.proportion import proportion_confint

from bs_server.report import render_report
from bs_server.report.beside import beside_tables
from bs_server.report.calibration import bin_rows
from bs_server.report.evaluated import evaluated
from bs_server.report.subgroups import subgroup_rows, subgroups_figure
from bs_server.results.summary import Summary
from support.page_text import PageText


@pytest.fixture(scope="module")
def text(full_page: str) -> PageText:
    return PageText(full_page)


@pytest.fixture(scope="module")
def beside(two_judges: Summary) -> str:
    return render_report(two_judges)


def test_calibration_is_told_with_its_intervals(text: PageText) -> None:
    assert text.row("namur", "1.21 (0.98 to 1.44)") == [
        "namur",
        "1.21 (0.98 to 1.44)",
        "\N{MINUS SIGN}0.17 (\N{MINUS SIGN}0.41 to 0.07)",
        "0.137",
    ]


def test_the_interval_of_a_bin_is_wilsons(summary: Summary) -> None:
    first = bin_rows(evaluated(summary)[0])[0]

    low, high = proportion_confint(51, 499, method="wilson")
    said = first.interval.replace("\N{EN DASH}", " ").replace("\N{NO-BREAK SPACE}%", "")
    assert [float(end) for end in said.split()] == pytest.approx([100 * low, 100 * high], abs=5e-3)


def test_net_benefit_is_told_for_model_everybody_and_nobody(text: PageText) -> None:
    assert text.row("0.500") == ["0.500", "0.223", "\N{MINUS SIGN}0.176", "0"]


def test_a_subgroup_is_told_with_counts_and_intervals(text: PageText) -> None:
    row = text.row("female")

    assert row[1:5] == ["31", "9", "44", "16"]
    assert row[5:] == ["77.50 % (62.50-87.70 %)", "73.30 % (61.00-82.90 %)"]
    assert ["Age, years"] in [[cell.strip() for cell in cells] for cells in text.rows]


def test_a_hidden_subgroup_shows_no_number(full: Summary) -> None:
    assert full.external is not None
    empty = {"value": None, "low": None, "high": None}
    level = full.external.subgroups[2].model_dump()
    level |= {"sensitivity": empty, "specificity": empty}
    level |= dict.fromkeys(("tp", "fn", "tn", "fp"))
    hidden = {f"subgroup.age.under-50.{cell}": "small_cell" for cell in ("tp", "fn", "tn", "fp")}
    one = evaluated(_with_external(full, subgroups=[level], hidden=hidden))[0]

    row = subgroup_rows(one)[0].levels[0]

    assert row.counts == ("hidden (fewer than 5)",) * 4
    assert (row.sensitivity, row.specificity) == ("\N{EN DASH}", "\N{EN DASH}")
    assert subgroups_figure(one) is None


def test_maps_stand_beside_what_they_are_held_against(text: PageText) -> None:
    row = text.row("Share of the map inside metastases")

    assert row[1:] == ["0.5000.250-0.750"] * 4  # the interval stands on a line of its own
    assert text.row("namur", "Outside the body")[2] == "32.19 %"


def test_hidden_agreement_says_that_it_is_hidden(full: Summary) -> None:
    hidden = _with_external(full, agreement=None, subgroups=[], hidden={"agreement": "small_cell"})

    text = PageText(render_report(hidden)).text

    assert "is not shown: hidden, too few scans have masks." in text
    assert "Sensitivity and specificity by subgroup, is not shown: no subgroup" in text


def test_every_judge_stands_beside_the_pooled_result(beside: str) -> None:
    text = PageText(beside)

    assert text.row("Figure")[1:4] == ["all sites", "namur", "liege"]
    assert text.row("True positives (TP)")[1:4] == ["378", "338", "40"]
    assert text.row("Scans judged")[1:4] == ["1148", "998", "150"]
    assert text.row("True positive rate (sensitivity)")[1].startswith("82.00 %")  # 378 of 461
    assert text.row("all sites", "-")[1:3] == ["-", "-"]  # slopes do not add up
    assert text.row("liege", "1.21 (0.98 to 1.44)")
    curves = re.findall(r'aria-label="(ROC curve[^"]*)"', beside)
    assert all(name in curves[0] for name in ("all sites", "namur", "liege"))


def test_a_pooled_count_that_one_site_hides_is_hidden(two_judges: Summary) -> None:
    hidden = _with_external(two_judges, tp=None, hidden={"tp": "small_cell"})

    rows = {row.label: row.cells[0][0] for row in beside_tables(evaluated(hidden))[0].rows}

    assert rows["True positives (TP)"] == "hidden (small count)"
    assert rows["Scans judged"] == "not shown"


def _with_external(summary: Summary, **fields: object) -> Summary:
    changed = summary.model_dump()
    changed["external"] |= fields
    return Summary.model_validate(changed)
