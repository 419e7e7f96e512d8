"""Choosing a threshold on validation scores."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_curve

from bs_client.federation.small_cells import merge_small_bins
from bs_common.bins import ScoreBins, margin_of
from bs_common.metrics import HISTOGRAM_EDGES, histogram
from bs_common.thresholds import choose_threshold

RNG = np.random.default_rng(6)
LABELS = RNG.random(400) < 0.45
MARGINS = RNG.normal(LABELS * 2.0 + 1.0, 1.3)


def site(margins: np.ndarray, labels: np.ndarray, min_cell: int = 1) -> ScoreBins:
    merged = merge_small_bins(histogram(margins, labels), min_cell)
    return ScoreBins(HISTOGRAM_EDGES[list(merged.places)], merged.counts)


HALVES = [site(MARGINS[half], LABELS[half]) for half in (slice(0, 150), slice(150, None))]


def test_youden_takes_the_edge_where_both_rates_together_are_best() -> None:
    found = choose_threshold("youden", HALVES)

    assert found is not None
    rates = [
        ((edge <= MARGINS)[LABELS].mean(), (edge > MARGINS)[~LABELS].mean())
        for edge in HISTOGRAM_EDGES
    ]
    assert found.sensitivity + found.specificity == pytest.approx(max(map(sum, rates)), abs=0.01)
    fpr, tpr, _ = roc_curve(LABELS, MARGINS)
    assert found.sensitivity + found.specificity - 1 <= (tpr - fpr).max() + 1e-12


def test_the_threshold_is_an_edge_of_the_histogram() -> None:
    for rule in ("youden", "sensitivity:0.9", "sensitivity:0.95"):
        found = choose_threshold(rule, HALVES)
        assert found is not None
        assert np.abs(HISTOGRAM_EDGES - margin_of(found.probability)).min() < 1e-12


@pytest.mark.parametrize("wanted", [0.5, 0.8, 0.9, 0.95])
def test_a_wanted_sensitivity_is_kept_with_as_few_false_alarms_as_possible(wanted: float) -> None:
    grid = [
        ScoreBins(HISTOGRAM_EDGES, histogram(MARGINS[half], LABELS[half]))
        for half in (slice(0, 150), slice(150, None))
    ]

    found = choose_threshold(f"sensitivity:{wanted}", grid)

    assert found is not None
    called = margin_of(found.probability) - 1e-12 <= MARGINS
    assert called[LABELS].mean() >= wanted
    higher = HISTOGRAM_EDGES[margin_of(found.probability) + 1e-9 < HISTOGRAM_EDGES]
    assert (higher[0] <= MARGINS)[LABELS].mean() < wanted
    assert found.specificity == pytest.approx(1 - called[~LABELS].mean())


def test_the_fixed_rule_chooses_nothing() -> None:
    assert choose_threshold("fixed", HALVES) is None


def test_without_a_class_or_an_edge_nothing_can_be_chosen() -> None:
    nobody = ScoreBins(np.array([0.0]), np.array([[3, 4], [0, 0]]))
    one_bin = ScoreBins(np.array([]), np.array([[3], [4]]))

    assert choose_threshold("youden", [nobody]) is None
    assert choose_threshold("youden", [one_bin]) is None


def test_of_equal_edges_the_one_nearest_to_a_half_is_taken() -> None:
    apart = ScoreBins(HISTOGRAM_EDGES, histogram([-3.0, -2.0, 4.0, 5.0], [0, 0, 1, 1]))

    found = choose_threshold("youden", [apart])

    assert found == pytest.approx((0.5, 1.0, 1.0))


def test_half_of_a_bin_across_the_edge_counts_above_it() -> None:
    first = ScoreBins(np.array([0.0]), np.array([[10, 0], [0, 10]]))
    second = ScoreBins(np.array([]), np.array([[10], [10]]))

    found = choose_threshold("youden", [first, second])

    assert found == pytest.approx((0.5, 0.75, 0.75))


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 12), st.sampled_from(["youden", "sensitivity:0.8"]))
def test_small_cells_hidden_or_not_a_threshold_is_found(min_cell: int, rule: str) -> None:
    found = choose_threshold(rule, [site(MARGINS, LABELS, min_cell)])

    assert found is not None
    assert 0 < found.probability < 1
