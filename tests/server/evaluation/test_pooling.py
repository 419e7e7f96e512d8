"""Several evaluate sites as one."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, roc_auc_score

from bs_client.evaluation.external import evaluate_external, probabilities_of
from bs_client.evaluation.judgement import Judgement
from bs_client.federation.external_reply import external_metrics
from bs_client.federation.small_cells import hide_small_cells
from bs_common.architecture import initial_head
from bs_common.contract import MessageType
from bs_common.messages import Reply
from bs_common.metrics import Confusion
from bs_common.settings import StudySettings
from bs_server.evaluation.external import summarise_external
from bs_server.evaluation.pooling import pool_external
from bs_server.evaluation.question import Question
from bs_server.results.summary import POOLED, ExternalSummary

THRESHOLD = 0.6
SETTINGS = StudySettings(name="test", threshold_rule="youden")
QUESTION = Question(2, initial_head(0), THRESHOLD, SETTINGS)
RNG = np.random.default_rng(3)
LABELS = [RNG.random(n) < p for n, p in ((500, 0.4), (700, 0.3))]
MARGINS = [
    RNG.normal(y * 1.8 - 0.5 + shift, 1.2) for y, shift in zip(LABELS, (0, 0.7), strict=True)
]


def answer(site: int, min_cell: int = 5) -> ExternalSummary:
    result = evaluate_external(MARGINS[site], LABELS[site], threshold=THRESHOLD, seed=0)
    female = np.arange(LABELS[site].size) % 2 == 0
    called = MARGINS[site] >= np.log(THRESHOLD / (1 - THRESHOLD))
    tables = {
        ("sex", level): Confusion(
            tp=int((called & LABELS[site] & group).sum()),
            fn=int((~called & LABELS[site] & group).sum()),
            tn=int((~called & ~LABELS[site] & group).sum()),
            fp=int((called & ~LABELS[site] & group).sum()),
        )
        for level, group in (("female", female), ("male", ~female))
    }
    judgement = Judgement(result, int(called.sum()), tables, None, {})
    metrics = external_metrics(judgement, min_cell)
    reply = Reply(
        MessageType.EXTERNAL, 2, {}, metrics, {"weights-sha256": "0" * 64, "compared-sha256": ""}
    )
    return summarise_external(f"site{site}", hide_small_cells(reply, min_cell), QUESTION)


ALL_MARGINS, ALL_LABELS = np.concatenate(MARGINS), np.concatenate(LABELS)


def pooled(min_cell: int = 5) -> ExternalSummary:
    found = pool_external([answer(0, min_cell), answer(1, min_cell)])
    assert found is not None
    return found


def test_one_answer_stays_as_it_is_and_none_is_none() -> None:
    assert pool_external([answer(0)]) == answer(0)
    assert pool_external([]) is None


@pytest.mark.parametrize(("min_cell", "widest"), [(1, 0.03), (5, 0.06), (10, 0.1)])
def test_the_pooled_auc_is_that_of_all_scans_within_its_bound(min_cell: int, widest: float) -> None:
    both = pooled(min_cell)

    exact = roc_auc_score(ALL_LABELS, ALL_MARGINS)
    assert both.auc is not None
    assert both.auc_bound is not None
    assert both.auc_ci is not None
    assert abs(both.auc - exact) <= both.auc_bound < widest
    assert both.auc_ci[0] < exact < both.auc_ci[1]


def test_the_pooled_table_and_score_are_those_of_all_scans() -> None:
    both = pooled()

    called = probabilities_of(ALL_MARGINS) >= THRESHOLD
    assert both.site == POOLED
    assert both.tp == (called & ALL_LABELS).sum()
    assert both.fp == (called & ~ALL_LABELS).sum()
    expected = brier_score_loss(ALL_LABELS, probabilities_of(ALL_MARGINS))
    assert both.brier == pytest.approx(expected, abs=1e-12)
    assert both.rates["tpr"].value == called[ALL_LABELS].mean()


def test_curve_calibration_and_benefit_rest_on_edges_that_both_sites_show() -> None:
    both = pooled()

    assert both.scores is not None
    assert both.calibration is not None
    assert both.roc is not None
    assert sum(entry.count or 0 for entry in both.calibration) == 1200
    point = (both.rates["fpr"].value, both.rates["tpr"].value)
    assert point in list(zip(both.roc.fpr, both.roc.tpr, strict=True))  # the threshold is an edge
    at = {round(p.probability, 9): p for p in both.decision_curve}
    benefit = at[round(THRESHOLD, 9)]
    assert both.tp is not None
    assert both.fp is not None
    expected = both.tp / 1200 - both.fp / 1200 * THRESHOLD / (1 - THRESHOLD)
    assert benefit.model == pytest.approx(expected)


def test_subgroups_add() -> None:
    first, second, both = (
        {(g.variable, g.level): g for g in one.subgroups}
        for one in (answer(0), answer(1), pooled())
    )

    group = ("sex", "female")
    tp = (first[group].tp, second[group].tp)
    assert None not in tp
    assert both[group].tp == sum(n or 0 for n in tp)


def test_what_one_site_hides_is_hidden_for_all() -> None:
    hiding = answer(0).model_copy(
        update={
            "tp": None,
            "rates": {},
            "scores": None,
            "brier": None,
            "hidden": {"tp": "small_cell", "scores": "small_cell"},
        }
    )

    both = pool_external([hiding, answer(1)])

    assert both is not None
    assert (both.tp, both.auc, both.roc, both.brier) == (None, None, None, None)
    assert {"tp", "auc", "roc", "scores"} <= set(both.hidden)
    assert both.tn is not None


def test_the_rule_that_chose_the_threshold_is_told() -> None:
    assert (answer(0).threshold, answer(0).threshold_rule) == (THRESHOLD, "youden")
    assert (pooled().threshold, pooled().threshold_rule) == (THRESHOLD, "youden")


def test_each_answer_says_how_well_its_probabilities_fit() -> None:
    one = answer(0)

    assert one.slope is not None
    assert one.intercept is not None
    assert one.auc_bootstrap_ci is not None
    assert one.slope.low is not None
    assert one.slope.low < (one.slope.value or 0)
