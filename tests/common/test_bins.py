"""Merged score bins: read, pooled, and the bound that they leave."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from bs_client.evaluation.auc import delong
from bs_client.federation.small_cells import merge_small_bins
from bs_common.bins import (
    ScoreBins,
    auc_interval,
    binned_standard_error,
    bins_from_metrics,
    bracket_auc,
    edges_with,
    margin_of,
    pool_bins,
    probability_of,
    reliability_bins,
)
from bs_common.errors import ReplyRefused
from bs_common.metrics import HISTOGRAM_EDGES, ROC_EDGES, ClassTooSmall, histogram, pooled_auc

Scan = tuple[float, bool]
# Scores beside edges, in one bin, far apart and beyond the ends: what makes a histogram err most.
ADVERSE = st.sampled_from([-99.0, -8.0, -0.001, 0.0, 0.0001, 0.03, 0.0629, 0.063, 7.99, 8.0, 99.0])
SCANS = st.lists(st.tuples(st.one_of(ADVERSE, st.floats(-9, 9)), st.booleans()), max_size=25)


def bins_of(scans: list[Scan], min_cell: int) -> ScoreBins:
    margins, labels = [m for m, _ in scans], [y for _, y in scans]
    merged = merge_small_bins(histogram(margins, labels), min_cell)
    return ScoreBins(HISTOGRAM_EDGES[list(merged.places)], merged.counts)


@settings(deadline=None, max_examples=150)
@given(st.lists(SCANS, min_size=1, max_size=3), st.integers(1, 6))
def test_the_exact_auc_of_all_scans_lies_within_the_bound(
    sites: list[list[Scan]], min_cell: int
) -> None:
    scans = [scan for site in sites for scan in site]
    labels = [label for _, label in scans]
    if len(set(labels)) < 2:
        return

    auc, bound = bracket_auc([bins_of(site, min_cell) for site in sites])

    exact = roc_auc_score(labels, [margin for margin, _ in scans])
    assert abs(exact - auc) <= bound + 1e-12


@settings(deadline=None, max_examples=60)
@given(SCANS)
def test_of_one_grid_the_bracket_is_that_of_the_histogram(scans: list[Scan]) -> None:
    labels = [label for _, label in scans]
    if len(set(labels)) < 2:
        return
    counts = histogram([m for m, _ in scans], labels)

    assert bracket_auc([ScoreBins(HISTOGRAM_EDGES, counts)]) == pytest.approx(pooled_auc(counts))


def test_overlapping_bins_are_bracketed_by_hand() -> None:
    # One site cuts at 0, the other at 1. A scan with metastasis of the first above 0 against one
    # without of the second below 1 is undecided, since (0, 1) lies in both.
    first = ScoreBins(np.array([0.0]), np.array([[4, 0], [0, 2]]))
    second = ScoreBins(np.array([1.0]), np.array([[3, 0], [0, 5]]))

    auc, bound = bracket_auc([first, second])

    undecided = 2 * 3
    pairs = 7 * 7
    assert bound == pytest.approx(undecided / 2 / pairs)
    assert auc == pytest.approx((pairs - undecided / 2) / pairs)


def test_a_class_without_scans_has_no_bracket() -> None:
    with pytest.raises(ClassTooSmall):
        bracket_auc([ScoreBins(np.array([0.0]), np.array([[1, 1], [0, 0]]))])


@settings(deadline=None, max_examples=60)
@given(SCANS, SCANS, st.integers(1, 4))
def test_pooled_bins_hold_every_scan_between_edges_that_all_have(
    one: list[Scan], other: list[Scan], min_cell: int
) -> None:
    sites = [bins_of(one, min_cell), bins_of(other, min_cell)]

    pooled = pool_bins(sites)

    assert set(pooled.edges) == set(sites[0].edges) & set(sites[1].edges)
    margins = [m for m, _ in one + other]
    expected = histogram(margins, [y for _, y in one + other], pooled.edges)
    assert pooled.counts.tolist() == expected.tolist()


def binormal(seed: int, scans: int = 300) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    rng = np.random.default_rng(seed)
    labels = rng.random(scans) < 0.4
    return rng.normal(labels * 1.6, 1.2), labels


def test_the_standard_error_of_bins_is_delongs_of_tied_scans() -> None:
    margins, labels = binormal(1)
    places = np.searchsorted(ROC_EDGES, margins, side="right")

    found = binned_standard_error(histogram(margins, labels, ROC_EDGES))

    assert found == pytest.approx(delong(places, labels).standard_error, abs=1e-12)


def test_the_pooled_interval_holds_the_truth_at_least_as_often_as_it_says() -> None:
    truth = 0.8271  # Phi(1.6 / (1.2 sqrt 2))
    held = 0
    for seed in range(500):
        margins, labels = binormal(seed, 120)
        halves = [
            ScoreBins(ROC_EDGES, histogram(margins[part], labels[part], ROC_EDGES))
            for part in (slice(0, 60), slice(60, None))
        ]
        low, high = auc_interval(halves)
        held += low <= truth <= high

    assert 0.90 <= held / 500 <= 1.0


@pytest.mark.parametrize("threshold", [0.001, 0.3, 0.5, 0.98, 0.9999])
def test_the_threshold_becomes_one_of_the_external_edges(threshold: float) -> None:
    edges = edges_with(threshold)

    assert margin_of(threshold) in edges
    assert edges.shape == ROC_EDGES.shape
    assert (np.diff(edges) > 0).all()
    assert np.count_nonzero(edges != ROC_EDGES) <= 1


@given(st.floats(0.0001, 0.9999))
def test_margin_and_probability_are_each_others_inverse(probability: float) -> None:
    assert probability_of(margin_of(probability)) == pytest.approx(probability, rel=1e-12)


def test_calls_at_an_edge_are_those_above_it() -> None:
    bins = ScoreBins(np.array([-1.0, 1.0]), np.array([[5, 3, 2], [1, 4, 6]]))

    table = bins.confusion_at(1.0)

    assert (table.tp, table.fn, table.tn, table.fp) == (6, 5, 8, 2)


def test_reliability_keeps_the_sites_own_edges_nearest_to_tenths() -> None:
    bins = ScoreBins(ROC_EDGES, histogram(*binormal(2), ROC_EDGES))

    joined = reliability_bins(bins)

    assert set(joined.edges) <= set(ROC_EDGES)
    steps = [probability_of(float(edge)) for edge in joined.edges]
    assert steps == pytest.approx([k / 10 for k in range(1, 10)], abs=0.04)
    assert joined.counts.sum(axis=1).tolist() == bins.counts.sum(axis=1).tolist()


def metrics(**changes: object) -> dict[str, object]:
    whole: dict[str, object] = {
        "histogram.edges": [3, 9],
        "histogram.no_metastasis": [7, 0, 5],
        "histogram.metastasis": [0, 6, 8],
    }
    return whole | {name.replace("__", "."): value for name, value in changes.items()}


def test_edge_numbers_point_into_the_grid() -> None:
    bins = bins_from_metrics(metrics())

    assert bins is not None
    assert bins.edges.tolist() == [HISTOGRAM_EDGES[3], HISTOGRAM_EDGES[9]]
    assert bins.counts.tolist() == [[7, 0, 5], [0, 6, 8]]


def test_hidden_bins_are_none() -> None:
    assert bins_from_metrics({"histogram.edges": [1]}) is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"histogram__edges": [3]}, "length"),
        ({"histogram__metastasis": [1, 2]}, "length"),
        ({"histogram__edges": [9, 3]}, "edges"),
        ({"histogram__edges": [3, 3]}, "edges"),
        ({"histogram__edges": [3, 255]}, "edges"),
        ({"histogram__edges": [-1, 3]}, "edges"),
    ],
)
def test_edges_and_counts_that_do_not_fit_are_refused(
    changes: dict[str, object], reason: str
) -> None:
    with pytest.raises(ReplyRefused) as refused:
        bins_from_metrics(metrics(**changes))
    assert refused.value.reason == reason
