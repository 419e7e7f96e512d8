"""Figures of a 2 x 2 table and their intervals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import balanced_accuracy_score, f1_score
from statsmodels.stats.proportion import proportion_confint

from bs_common.metrics import Confusion
from bs_common.rates import UNDEFINED, measures

PAPER = Confusion(tp=338, fn=73, tn=472, fp=115)
WILSON = ("tpr", "fnr", "tnr", "fpr", "ppv", "npv", "accuracy")


def scans_of(table: Confusion) -> tuple[np.ndarray, np.ndarray]:
    """Write the table out as one label and one call a scan."""
    cells = [(1, 1, table.tp), (1, 0, table.fn), (0, 0, table.tn), (0, 1, table.fp)]
    labels = np.concatenate([np.full(n, label) for label, _, n in cells])
    calls = np.concatenate([np.full(n, call) for _, call, n in cells])
    return labels, calls


def test_the_published_table_gives_the_published_figures() -> None:
    found = {
        name: round(measure.value or 0, 4) for name, measure in measures(PAPER, seed=0).items()
    }

    assert found["tpr"] == pytest.approx(0.822, abs=5e-4)  # printed: 82.2 %
    assert found["tnr"] == pytest.approx(0.8045, abs=5e-4)  # printed: 80.45 %
    assert found["f1"] == 0.7824
    assert found["ppv"] == 0.7461
    assert found["npv"] == 0.8661
    assert found["accuracy"] == 0.8116


@pytest.mark.parametrize("name", WILSON)
def test_shares_have_the_interval_of_two_other_libraries(name: str) -> None:
    measure = measures(PAPER, seed=0)[name]
    counted, out_of = PAPER.fractions()[name]

    scipy = binomtest(counted, out_of).proportion_ci(method="wilson")

    assert (measure.low, measure.high) == pytest.approx((scipy.low, scipy.high), abs=1e-12)
    statsmodels = proportion_confint(counted, out_of, method="wilson")
    assert (measure.low, measure.high) == pytest.approx(statsmodels, abs=1e-12)


def test_f1_and_balanced_accuracy_are_those_of_scikit_learn() -> None:
    labels, calls = scans_of(PAPER)

    found = measures(PAPER, seed=0)

    assert found["f1"].value == pytest.approx(f1_score(labels, calls), abs=1e-12)
    expected = balanced_accuracy_score(labels, calls)
    assert found["balanced_accuracy"].value == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", ["f1", "balanced_accuracy"])
def test_drawing_tables_is_drawing_scans(name: str) -> None:
    score = {"f1": f1_score, "balanced_accuracy": balanced_accuracy_score}[name]
    labels, calls = scans_of(PAPER)
    places = [np.flatnonzero(labels == label) for label in (0, 1)]
    rng = np.random.default_rng(1)
    drawn = [np.concatenate([rng.choice(one, one.size) for one in places]) for _ in range(600)]
    expected = np.quantile([score(labels[i], calls[i]) for i in drawn], [0.025, 0.975])

    measure = measures(PAPER, seed=0)[name]

    # 600 draws place an end within about 0.002 (one standard error 0.0012).
    assert (measure.low, measure.high) == pytest.approx(expected, abs=0.005)


@pytest.mark.parametrize("name", ["f1", "balanced_accuracy"])
def test_ninety_five_of_a_hundred_bootstrap_intervals_hold_the_truth(name: str) -> None:
    rng = np.random.default_rng(4)
    positives, negatives, tpr, fpr = 120, 180, 0.82, 0.2
    ppv = positives * tpr / (positives * tpr + negatives * fpr)
    truth = {"f1": 2 * ppv * tpr / (ppv + tpr), "balanced_accuracy": (tpr + 1 - fpr) / 2}[name]
    held = 0
    for draw in range(500):
        tp, fp = int(rng.binomial(positives, tpr)), int(rng.binomial(negatives, fpr))
        table = Confusion(tp=tp, fn=positives - tp, tn=negatives - fp, fp=fp)
        measure = measures(table, seed=draw, resamples=1000)[name]
        assert measure.low is not None
        assert measure.high is not None
        held += measure.low <= truth <= measure.high

    assert 0.90 <= held / 500 <= 0.98


def test_the_paper_profile_draws_a_hundred_times() -> None:
    few, many = (measures(PAPER, seed=0, resamples=n)["f1"] for n in (100, 2000))

    assert few.value == many.value
    assert (few.low, few.high) != (many.low, many.high)
    assert (few.low, few.high) == pytest.approx((many.low, many.high), abs=0.02)


def test_the_same_seed_gives_the_same_intervals() -> None:
    assert measures(PAPER, seed=3) == measures(PAPER, seed=3)
    assert measures(PAPER, seed=3) != measures(PAPER, seed=4)


def test_figures_of_nobody_are_undefined() -> None:
    assert set(measures(Confusion(0, 0, 0, 0), seed=0).values()) == {UNDEFINED}


def test_without_negatives_what_needs_them_is_undefined() -> None:
    found = measures(Confusion(tp=8, fn=2, tn=0, fp=0), seed=0)

    assert found["tnr"] == found["balanced_accuracy"] == UNDEFINED
    assert found["tpr"].value == 0.8
    assert found["f1"].value == pytest.approx(16 / 18)
