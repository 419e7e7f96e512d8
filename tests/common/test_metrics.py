"""Histograms, pooled AUC, the 2 x 2 table and Wilson's interval."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scipy.stats import binomtest
from sklearn.metrics import auc, roc_auc_score

from bs_common.errors import DataError
from bs_common.metrics import (
    HISTOGRAM_EDGES,
    ROC_EDGES,
    ClassTooSmall,
    Confusion,
    Histogram,
    confusion,
    histogram,
    pooled_auc,
    roc_points,
    wilson,
)

Scans = list[tuple[float, bool]]

PAPER = Confusion(tp=338, fn=73, tn=472, fp=115)

# Few distinct margins, some beyond the last edge and some on edges, so that ties are common.
margin = st.one_of(
    st.sampled_from([-40.0, -8.0, -1.0, 0.0, 0.01, 0.02, 1.0, 8.0, 40.0]), st.floats(-10, 10)
)
scans = st.lists(st.tuples(margin, st.booleans()), min_size=2, max_size=40).filter(
    lambda pairs: len({label for _, label in pairs}) == 2
)


def columns(pairs: Scans) -> tuple[list[float], list[bool]]:
    return [margin for margin, _ in pairs], [label for _, label in pairs]


def test_the_edges_are_symmetric_and_hold_the_default_threshold() -> None:
    assert_array_equal(HISTOGRAM_EDGES, -HISTOGRAM_EDGES[::-1])

    assert 0.0 in HISTOGRAM_EDGES
    assert 0.0 in ROC_EDGES
    assert set(ROC_EDGES) <= set(HISTOGRAM_EDGES)
    assert ROC_EDGES.size == 51


def test_the_edges_cannot_be_changed_by_accident() -> None:
    with pytest.raises(ValueError, match="read-only"):
        ROC_EDGES[0] = 0.0


def test_a_histogram_counts_each_class_between_edges() -> None:
    counts = histogram([-5.0, 0.5, 0.5, 9.0], [0, 0, 1, 1], np.array([0.0, 1.0]))

    assert_array_equal(counts, [[1, 1, 0], [0, 1, 1]])
    assert counts.dtype == np.int64


def test_a_margin_on_an_edge_counts_above_it() -> None:
    counts = histogram([0.0], [1], np.array([0.0]))

    assert_array_equal(counts, [[0, 0], [0, 1]])


def test_margins_beyond_the_last_edges_fall_into_the_open_bins() -> None:
    counts = histogram([-1e6, 1e6], [0, 1])

    assert counts.shape == (2, 256)
    assert (counts[0, 0], counts[1, -1], counts.sum()) == (1, 1, 2)


def test_no_scans_give_an_empty_histogram() -> None:
    assert histogram([], []).sum() == 0


@settings(deadline=None, max_examples=60)
@given(scans, scans)
def test_histograms_of_sites_add_to_the_histogram_of_all(first: Scans, second: Scans) -> None:
    added = histogram(*columns(first)) + histogram(*columns(second))

    assert_array_equal(added, histogram(*columns(first + second)))


@settings(deadline=None, max_examples=60)
@given(scans)
def test_the_exact_auc_lies_within_the_bound_of_the_pooled_one(
    pairs: Scans,
) -> None:
    margins, labels = columns(pairs)
    exact = roc_auc_score(labels, margins)

    estimate, bound = pooled_auc(histogram(margins, labels))

    assert abs(estimate - exact) <= bound + 1e-12


def test_the_bound_is_reached_where_every_pair_of_a_bin_is_in_order() -> None:
    estimate, bound = pooled_auc(histogram([0.01, 0.02], [0, 1]))

    assert (estimate, bound) == (0.5, 0.5)  # the exact AUC is 1


def test_pooled_auc_equals_a_hand_worked_case() -> None:
    counts = np.array([[2, 1, 1], [0, 1, 2]])

    estimate, bound = pooled_auc(counts)

    # Of 12 pairs, 2 + 2 * 3 are in order and 1 + 2 share a bin.
    assert estimate == (8 + 1.5) / 12
    assert bound == 1.5 / 12


def test_margins_apart_by_more_than_a_bin_are_pooled_without_error() -> None:
    rng = np.random.default_rng(5)
    margins = rng.permutation(np.linspace(-7.9, 7.9, 100))
    labels = rng.random(100) < 0.4

    estimate, bound = pooled_auc(histogram(margins, labels))

    assert bound == 0
    assert estimate == pytest.approx(roc_auc_score(labels, margins), abs=1e-15)


@settings(deadline=None, max_examples=60)
@given(scans)
def test_the_area_below_the_binned_roc_curve_is_the_pooled_auc(
    pairs: Scans,
) -> None:
    counts = histogram(*columns(pairs), ROC_EDGES)

    fpr, tpr = roc_points(counts)

    assert (fpr[0], tpr[0], fpr[-1], tpr[-1]) == (0, 0, 1, 1)
    assert auc(fpr, tpr) == pytest.approx(pooled_auc(counts).auc, abs=1e-12)


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_alone_has_no_auc(label: int) -> None:
    counts = histogram([0.5, 1.5], [label, label])

    with pytest.raises(ClassTooSmall, match=r"expected at least 1 of each") as refusal:
        pooled_auc(counts)
    assert refusal.value.remedy


@pytest.mark.parametrize(
    "counts",
    [np.ones((3, 4), np.int64), np.ones(8, np.int64), np.ones((2, 4)), np.array([[1, -1], [1, 1]])],
)
def test_what_is_not_a_histogram_is_refused(counts: Histogram) -> None:
    with pytest.raises(DataError, match="a histogram has"):
        pooled_auc(counts)


@pytest.mark.parametrize(
    ("margins", "labels", "message"),
    [
        ([0.0, np.nan], [0, 1], "1 of 2 margins are not finite"),
        ([0.0, np.inf], [0, 1], "1 of 2 margins are not finite"),
        ([0.0, 1.0], [0, 2], "neither 0"),
        ([0.0], [0, 1], "expected one of each"),
        ([[0.0]], [[1]], "expected one of each"),
    ],
)
def test_margins_and_labels_that_do_not_fit_are_refused(
    margins: list[float], labels: list[int], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        histogram(margins, labels)


def test_the_papers_table_gives_the_papers_rates() -> None:
    assert PAPER.total == 998
    assert PAPER.tpr == pytest.approx(0.8224, abs=5e-5)
    assert PAPER.fnr == pytest.approx(0.1776, abs=5e-5)
    assert PAPER.tnr == pytest.approx(0.8041, abs=5e-5)
    assert PAPER.fpr == pytest.approx(0.1959, abs=5e-5)
    assert PAPER.ppv == pytest.approx(0.7461, abs=5e-5)
    assert PAPER.npv == pytest.approx(0.8661, abs=5e-5)
    assert PAPER.accuracy == pytest.approx(0.8116, abs=5e-5)
    assert PAPER.f1 == pytest.approx(0.7824, abs=5e-5)


def test_rates_of_nobody_are_none() -> None:
    nobody = Confusion(tp=0, fn=0, tn=0, fp=0)

    assert nobody.f1 is None
    assert {getattr(nobody, name) for name in nobody.fractions()} == {None}


def test_rates_are_none_only_where_their_own_denominator_is_zero() -> None:
    all_called_negative = Confusion(tp=0, fn=3, tn=5, fp=0)

    assert all_called_negative.ppv is None
    assert all_called_negative.tpr == 0
    assert all_called_negative.tnr == 1


def test_calls_are_counted_against_labels() -> None:
    table = confusion([1, 1, 1, 0, 0, 0, 0], [1, 1, 0, 1, 0, 0, 0])

    assert table == Confusion(tp=2, fn=1, tn=3, fp=1)


def test_a_negative_count_is_refused() -> None:
    with pytest.raises(DataError, match="negative count"):
        Confusion(tp=1, fn=-1, tn=0, fp=0)


def test_wilson_gives_the_papers_intervals() -> None:
    assert wilson(338, 411) == pytest.approx((0.7825, 0.8563), abs=5e-5)
    assert wilson(472, 587) == pytest.approx((0.7700, 0.8342), abs=5e-5)


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 2000), st.floats(0, 1), st.sampled_from([0.8, 0.95, 0.99]))
def test_wilson_agrees_with_scipy(total: int, share: float, level: float) -> None:
    successes = round(share * total)
    expected = binomtest(successes, total).proportion_ci(level, method="wilson")

    low, high = wilson(successes, total, level)

    assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert 0 <= low <= successes / total <= high <= 1


@pytest.mark.parametrize(("successes", "total", "level"), [(0, 0, 0.95), (3, 2, 0.95), (1, 2, 1.0)])
def test_wilson_refuses_impossible_shares(successes: int, total: int, level: float) -> None:
    with pytest.raises(DataError, match="no interval"):
        wilson(successes, total, level)
