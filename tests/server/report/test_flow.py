from __future__ import annotations

import re

import pytest

from bs_server.report import render_report
from bs_server.report.flow import Box, trace_flow
from bs_server.report.flow_figure import SITES_A_FIGURE, flow_figures
from bs_server.results.summary import Summary


def _spoken(summary: Summary) -> str:
    found = re.findall(r'<svg role="img" aria-label="(Flow[^"]*)"', render_report(summary))
    return " ".join(found)


def _with_site(summary: Summary, index: int, **fields: object) -> Summary:
    changed = summary.model_dump()
    changed["sites"][index] |= fields
    return Summary.model_validate(changed)


def test_the_boxes_of_every_site_add_up(two_judges: Summary) -> None:
    flow = trace_flow(two_judges)

    for site in flow.sites:
        assert site.received == (site.refused.total or 0) + (site.included or 0)
        assert site.included == sum(box.total or 0 for box in site.splits.values())
        if site.judged is not None:
            refused = site.judged.refused.total
            assert site.splits["external"].total == (site.judged.total or 0) + (refused or 0)


def test_the_boxes_of_all_sites_are_the_sums_of_theirs(two_judges: Summary) -> None:
    flow = trace_flow(two_judges)

    assert flow.splits["train"] == Box(235 + 94, 668 + 206)
    assert flow.splits["external"] == Box(411 + 50, 587 + 100)
    assert flow.refused == 17
    assert flow.included == 903 + 115 + 300 + 47 + 998 + 150
    assert flow.received == 2513 + 17
    assert flow.judged == 998 + 150


def test_what_was_called_stands_by_the_label(summary: Summary) -> None:
    namur = trace_flow(summary).sites[2]

    assert namur.judged is not None
    assert namur.judged.called == Box(338, 115)
    assert namur.judged.not_called == Box(73, 472)


def test_a_hidden_count_and_every_sum_with_it_is_hidden(summary: Summary) -> None:
    hidden = {"train.metastasis": "small_cell", "train.no_metastasis": "small_cell"}
    cohort = [
        {"split": "train", "metastasis": None, "no_metastasis": None},
        {"split": "validation", "metastasis": 24, "no_metastasis": 23},
    ]
    changed = _with_site(summary, 1, cohort=cohort, hidden=hidden)

    flow = trace_flow(changed)

    aalborg = flow.sites[1]
    assert aalborg.splits["train"].hidden == "hidden (fewer than 5)"
    assert (aalborg.included, aalborg.received) == (None, None)
    assert (flow.splits["train"].total, flow.included, flow.received) == (None, None, None)
    assert flow.splits["validation"].total == 57 + 58 + 24 + 23


def test_no_hidden_number_stands_in_the_diagram(summary: Summary) -> None:
    hidden = {"refused.E_BLANK": "small_cell"}
    spoken = _spoken(_with_site(summary, 0, hidden=hidden, refused={"E_VIEW": 17}))

    assert "E_BLANK: hidden (fewer than 5)" in spoken
    aachen = spoken[spoken.index("aachen") : spoken.index("aalborg")]
    assert "received not shown" in aachen
    assert "refused not shown" in aachen
    assert "in the study 1018" in aachen


def test_scans_that_vanished_before_the_judgement_are_a_box_of_their_own(summary: Summary) -> None:
    fields = summary.model_dump()
    fields["external"]["refused"] = {"E_VANISHED": 2}
    fields["sites"][2]["cohort"][0]["no_metastasis"] = 589
    changed = Summary.model_validate(fields)

    namur = trace_flow(changed).sites[2]

    assert namur.judged is not None
    assert namur.judged.refused.by_code == {"E_VANISHED": 2}
    assert namur.included == 1000 == (namur.judged.total or 0) + 2


def test_a_study_without_judgement_has_no_judged_box(summary: Summary) -> None:
    flow = trace_flow(summary.model_copy(update={"external": None}))

    assert flow.judged is None
    assert all(site.judged is None for site in flow.sites)


@pytest.mark.parametrize("sites", [1, 3, 10])
def test_many_sites_are_spread_over_figures_that_fit_a_page(summary: Summary, sites: int) -> None:
    first = summary.sites[0]
    many = [first.model_copy(update={"name": f"site-{k}"}) for k in range(sites)]
    flow = trace_flow(summary.model_copy(update={"sites": many, "external": None}))

    figures = flow_figures(flow)

    together = int(sites > 1)
    assert len(figures) == together + -(-sites // SITES_A_FIGURE)
    for figure in figures:
        box = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', figure)
        assert box is not None
        assert float(box.group(2)) / float(box.group(1)) < 1.35  # of A4 between its margins
