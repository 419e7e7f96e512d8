"""ROC curve, DeLong's interval and the bootstrap."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from bs_client.evaluation import auc as auc_module
from bs_client.evaluation.auc import (
    AucEstimate,
    bootstrap_aucs,
    delong,
    percentile_interval,
    trace_roc,
)
from bs_common.metrics import ClassTooSmall

Scores = tuple[NDArray[np.float64], NDArray[np.bool_]]

# Whole numbers, so that ties within and between the classes are common.
tied_scans = st.lists(st.tuples(st.integers(-4, 4), st.booleans()), min_size=4, max_size=40).filter(
    lambda pairs: 2 <= sum(label for _, label in pairs) <= len(pairs) - 2
)


def binormal(*, positives: int, negatives: int, shift: float, seed: int = 3) -> Scores:
    rng = np.random.default_rng(seed)
    margins = np.concatenate([rng.normal(shift, 1, positives), rng.normal(0, 1, negatives)])
    return margins, np.arange(margins.size) < positives


def delong_of_all_pairs(margins: NDArray[np.float64], labels: NDArray[np.bool_]) -> AucEstimate:
    """DeLong et al. (1988) as printed: every pair compared, psi = 1, 1/2 or 0."""
    positives, negatives = margins[labels], margins[~labels]
    psi = (np.sign(positives[:, np.newaxis] - negatives) + 1) / 2  # (m, n)
    m, n = psi.shape
    theta = psi.mean()
    s10 = ((psi.mean(axis=1) - theta) ** 2).sum() / (m - 1)
    s01 = ((psi.mean(axis=0) - theta) ** 2).sum() / (n - 1)
    return AucEstimate(float(theta), float(np.sqrt(s10 / m + s01 / n)))


@settings(deadline=None, max_examples=60)
@given(tied_scans)
def test_delong_equals_the_comparison_of_all_pairs(pairs: list[tuple[int, bool]]) -> None:
    margins = np.array([margin for margin, _ in pairs], float)
    labels = np.array([label for _, label in pairs])
    expected = delong_of_all_pairs(margins, labels)

    estimate = delong(margins, labels)

    assert estimate.auc == pytest.approx(expected.auc, abs=1e-12)
    assert estimate.standard_error**2 == pytest.approx(expected.standard_error**2, abs=1e-12)


def test_delong_equals_a_hand_worked_case() -> None:
    estimate = delong([3, 1, 2, 0], [1, 1, 0, 0])

    # Positives win 2 and 1 of 2 pairs, negatives lose 1 and 2: both variances are 1/8.
    assert estimate.auc == 0.75
    assert estimate.standard_error == pytest.approx(np.sqrt(1 / 8 / 2 + 1 / 8 / 2), abs=1e-15)


@settings(deadline=None, max_examples=60)
@given(tied_scans)
def test_every_auc_is_that_of_scikit_learn(pairs: list[tuple[int, bool]]) -> None:
    margins, labels = zip(*pairs, strict=True)
    expected = roc_auc_score(labels, margins)

    assert trace_roc(margins, labels).auc == pytest.approx(expected, abs=1e-12)
    assert delong(margins, labels).auc == pytest.approx(expected, abs=1e-12)


@settings(deadline=None, max_examples=60)
@given(tied_scans)
def test_a_rising_map_of_the_margins_changes_nothing(pairs: list[tuple[int, bool]]) -> None:
    margins = np.array([margin for margin, _ in pairs], float)
    labels = [label for _, label in pairs]

    assert delong(np.exp(margins) + margins, labels) == delong(margins, labels)


@settings(deadline=None, max_examples=60)
@given(tied_scans)
def test_turning_the_margins_round_mirrors_the_auc(pairs: list[tuple[int, bool]]) -> None:
    margins = np.array([margin for margin, _ in pairs], float)
    labels = [label for _, label in pairs]

    straight, turned = delong(margins, labels), delong(-margins, labels)

    assert turned.auc == pytest.approx(1 - straight.auc, abs=1e-12)
    assert turned.standard_error == pytest.approx(straight.standard_error, abs=1e-12)


@settings(deadline=None, max_examples=60)
@given(tied_scans)
def test_the_interval_contains_the_estimate_and_stays_in_range(
    pairs: list[tuple[int, bool]],
) -> None:
    estimate = delong(*zip(*pairs, strict=True))

    low, high = estimate.interval()

    assert 0 <= low <= estimate.auc <= high <= 1


def test_the_interval_is_that_of_the_normal_law() -> None:
    assert AucEstimate(0.8, 0.05).interval() == pytest.approx((0.70200180, 0.89799820), abs=1e-8)


def test_separated_classes_have_an_interval_without_width() -> None:
    estimate = delong([0, 1, 2, 3], [0, 0, 1, 1])

    assert estimate.interval() == (1.0, 1.0)


def test_the_standard_error_is_the_spread_of_aucs_over_repeated_studies() -> None:
    studies = [delong(*binormal(positives=40, negatives=60, shift=1.2, seed=s)) for s in range(400)]

    spread = np.std([study.auc for study in studies])
    stated = np.sqrt(np.mean([study.standard_error**2 for study in studies]))

    # The spread of 400 draws is known to 1 / sqrt(800) = 3.5 %; four of those.
    assert stated == pytest.approx(spread, rel=0.14)


def test_the_curve_runs_from_corner_to_corner() -> None:
    curve = trace_roc([3, 1, 2, 0], [1, 1, 0, 0])

    assert_array_equal(curve.fpr, [0, 0, 0.5, 0.5, 1])
    assert_array_equal(curve.tpr, [0, 0.5, 0.5, 1, 1])


def test_bootstrap_draws_of_two_by_two_scans_follow_their_exact_law() -> None:
    # Positives 3 and 1, negatives 2 and 0: a draw of two positives holds k times the 3 with chance
    # 1/4, 1/2, 1/4, and so for the 2. The 3 wins both pairs; the 1 wins only against the 0.
    aucs = bootstrap_aucs([3, 1, 2, 0], [1, 1, 0, 0], seed=0, resamples=20_000)

    chances = {0.0: 1 / 16, 0.25: 0.0, 0.5: 4 / 16, 0.75: 4 / 16, 1.0: 7 / 16}
    for value, chance in chances.items():
        assert np.mean(aucs == value) == pytest.approx(chance, abs=0.015)


def test_the_bootstrap_agrees_with_delong() -> None:
    scans = binormal(positives=120, negatives=180, shift=1.5)
    estimate = delong(*scans)

    aucs = bootstrap_aucs(*scans, seed=1)

    assert aucs.shape == (2000,)
    assert aucs.mean() == pytest.approx(estimate.auc, abs=3 * estimate.standard_error / 2000**0.5)
    assert aucs.std() == pytest.approx(estimate.standard_error, rel=0.08)


@pytest.mark.parametrize("method", ["bootstrap", "delong"])
def test_ninety_five_of_a_hundred_intervals_hold_the_true_area(method: str) -> None:
    truth = NormalDist().cdf(1.2 / 2**0.5)  # of two normal laws 1.2 apart
    held = 0
    for seed in range(500):
        scans = binormal(positives=30, negatives=40, shift=1.2, seed=seed)
        if method == "delong":
            low, high = delong(*scans).interval()
        else:
            low, high = percentile_interval(bootstrap_aucs(*scans, seed=seed, resamples=1000))
        held += low <= truth <= high

    assert 0.90 <= held / 500 <= 0.98


def test_one_seed_gives_one_bootstrap_and_another_seed_another() -> None:
    scans = binormal(positives=10, negatives=10, shift=1)

    first, again, other = (bootstrap_aucs(*scans, seed=s, resamples=50) for s in (7, 7, 8))

    assert_array_equal(first, again)
    assert (first != other).any()


def test_the_block_size_changes_no_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    scans = binormal(positives=9, negatives=12, shift=1)
    whole = bootstrap_aucs(*scans, seed=7, resamples=50)

    monkeypatch.setattr(auc_module, "BLOCK_CELLS", 21 * 8)

    assert_array_equal(bootstrap_aucs(*scans, seed=7, resamples=50), whole)


def test_each_bootstrap_auc_is_that_of_an_ordinary_resample(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    margins, labels = np.array([2.0, 1.0, 1.0, 0.0, 1.0]), np.array([1, 1, 1, 0, 0]) == 1
    drawn: list[NDArray[np.int64]] = []

    class Recorder:
        def __init__(self, *words: object) -> None:
            self.rng = np.random.default_rng(len(str(words)))

        def integers(self, low: int, high: int, shape: tuple[int, int]) -> NDArray[np.int64]:
            drawn.append(self.rng.integers(low, high, shape))
            return drawn[-1]

    monkeypatch.setattr(auc_module, "generator", Recorder)
    aucs = bootstrap_aucs(margins, labels, seed=0, resamples=30)

    for value, positives, negatives in zip(aucs, *drawn, strict=True):
        sample = np.concatenate([margins[labels][positives], margins[~labels][negatives]])
        expected = roc_auc_score([1] * 3 + [0] * 2, sample)
        assert value == pytest.approx(expected, abs=1e-12)


def test_the_percentile_interval_cuts_both_tails_alike() -> None:
    assert percentile_interval(np.linspace(0, 1, 101), 0.9) == pytest.approx((0.05, 0.95))


@pytest.mark.parametrize("labels", [[0, 0, 0], [1, 1, 1]])
def test_a_class_without_scans_has_no_curve_and_no_bootstrap(labels: list[int]) -> None:
    with pytest.raises(ClassTooSmall):
        trace_roc([0.0, 1.0, 2.0], labels)
    with pytest.raises(ClassTooSmall):
        bootstrap_aucs([0.0, 1.0, 2.0], labels, seed=0)


def test_delong_asks_for_two_scans_of_each_class() -> None:
    with pytest.raises(ClassTooSmall, match="1 scans with and 2 without"):
        delong([0.0, 1.0, 2.0], [0, 0, 1])
