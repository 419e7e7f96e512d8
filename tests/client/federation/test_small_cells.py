"""Hiding small counts, and every other from which they could be had."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bs_client.federation.small_cells import hide_small_cells, merge_small_bins
from bs_client.training.loss import cross_entropy
from bs_common.bins import edges_with, margin_of
from bs_common.contract import COHORT_CELLS, HISTOGRAM_BINS, MessageType
from bs_common.errors import EgressRefused
from bs_common.messages import Metric, Reply
from bs_common.metrics import Histogram, histogram, pooled_auc


def describe(**changes: Metric) -> Reply:
    metrics: dict[str, Metric] = {**dict.fromkeys(COHORT_CELLS, 20), "synthetic": 1, "min-cell": 5}
    named = {name.replace("__", "."): value for name, value in changes.items()}
    return Reply(MessageType.DESCRIBE, 0, {}, metrics | named)


def external(**changes: Metric) -> Reply:
    metrics: dict[str, Metric] = {"tp": 30, "fn": 10, "tn": 50, "fp": 9, "overlays": 39}
    metrics |= {"auc": 0.9, "auc-low": 0.8, "auc-high": 0.95, "brier": 0.1, "slope": 0.9}
    metrics |= {"histogram.metastasis": [10, 30], "histogram.no_metastasis": [50, 9]}
    metrics |= {"histogram.edges": [3], "artefact.outside-body": 0.1}
    named = {name.replace("__", "."): value for name, value in changes.items()}
    return Reply(MessageType.EXTERNAL, 3, {}, metrics | named)


def validation(metastasis: list[int], no_metastasis: list[int], examples: int) -> Reply:
    def padded(counts: list[int]) -> list[int]:
        return counts + [0] * (HISTOGRAM_BINS - len(counts))

    metrics: dict[str, Metric] = {"num-examples": examples, "loss": 0.5}
    metrics |= {"histogram.metastasis": padded(metastasis)}
    metrics |= {"histogram.no_metastasis": padded(no_metastasis)}
    return Reply(MessageType.EVALUATE, 1, {}, metrics)


CONFUSION = {"tp", "fn", "tn", "fp", "overlays", "artefact.outside-body"}
HISTOGRAMS = {"histogram.metastasis", "histogram.no_metastasis"}
CURVE = HISTOGRAMS | {"histogram.edges", "auc", "auc-low", "auc-high", "brier", "slope"}


def hidden(reply: Reply, min_cell: int = 5) -> set[str]:
    """Names hidden, after checking that they are gone and that all else stays."""
    safe = hide_small_cells(reply, min_cell)

    assert set(safe.metrics) == set(reply.metrics) - set(safe.hidden)
    assert all(safe.metrics[name] == reply.metrics[name] for name in safe.metrics)
    assert safe.hidden == tuple(sorted(safe.hidden))
    return set(safe.hidden)


@pytest.mark.parametrize("reply", [describe(), external(), validation([6, 7], [8], 21)])
def test_nothing_is_hidden_where_every_count_is_large_enough(reply: Reply) -> None:
    assert hidden(reply) == set()


@pytest.mark.parametrize("count", [1, 4])
def test_a_small_class_hides_the_other_class_of_its_split(count: int) -> None:
    names = {"train.metastasis", "train.no_metastasis"}

    assert hidden(describe(train__metastasis=count)) == names
    assert hidden(describe(train__no_metastasis=count)) == names


def test_a_count_of_the_smallest_size_and_a_count_of_nobody_are_shown() -> None:
    assert hidden(describe(train__metastasis=5, validation__metastasis=0)) == set()


def test_a_small_number_of_refused_scans_is_hidden_alone() -> None:
    reply = describe(refused__E_VIEW=3, refused__E_FRAMES=30)

    assert hidden(reply) == {"refused.E_VIEW"}


@pytest.mark.parametrize("cell", ["tp", "fn", "tn", "fp"])
def test_one_small_cell_of_the_table_hides_all_of_it_with_the_positive_calls(cell: str) -> None:
    # The totals of the rows are in the description: any one left would give another away.
    assert hidden(external(**{cell: 2})) == CONFUSION


def test_a_small_cell_of_the_curve_hides_both_classes_and_the_area() -> None:
    assert hidden(external(histogram__metastasis=[3])) == CURVE


def test_one_small_bin_hides_both_histograms_and_keeps_the_loss() -> None:
    safe = hide_small_cells(validation([6, 4], [30], 40), 5)

    assert set(safe.hidden) == HISTOGRAMS
    assert set(safe.metrics) == {"num-examples", "loss"}


def test_with_a_smallest_count_of_one_nothing_is_ever_hidden() -> None:
    assert hidden(describe(train__metastasis=1, refused__E_VIEW=1), 1) == set()
    assert hidden(external(tp=1, histogram__metastasis=[1]), 1) == set()


def test_what_a_site_has_hidden_already_stays_named() -> None:
    reply = describe()
    metrics = {
        name: value for name, value in reply.metrics.items() if name != "external.metastasis"
    }

    safe = hide_small_cells(
        Reply(reply.message_type, 0, {}, metrics, {}, ("external.metastasis",)), 5
    )

    assert safe.hidden == ("external.metastasis",)


def test_a_validation_of_too_few_scans_does_not_leave() -> None:
    with pytest.raises(EgressRefused) as refused:
        hide_small_cells(validation([2], [2], 4), 5)
    assert refused.value.reason == "small_cell"
    assert hide_small_cells(validation([5], [0], 5), 5).metrics["num-examples"] == 5


@pytest.mark.parametrize("metastasis", [1, 4])
def test_a_validation_with_a_class_of_too_few_scans_does_not_leave(metastasis: int) -> None:
    # With constant scores the mean loss alone would tell how many they are.
    with pytest.raises(EgressRefused) as refused:
        hide_small_cells(validation([metastasis], [40], 40 + metastasis), 5)
    assert refused.value.reason == "small_cell"
    assert "more patients" in refused.value.remedy


def test_the_mean_loss_of_constant_scores_tells_the_size_of_a_class() -> None:
    """Why the rule above is there: the attack, worked by hand."""
    labels = np.array([True] * 3 + [False] * 40)
    margin = 2.0

    loss = cross_entropy(np.full(43, margin), labels)

    of_positive, of_negative = np.log1p(np.exp(-margin)), np.log1p(np.exp(margin))
    assert round((of_negative - loss) / (of_negative - of_positive) * 43) == 3


@pytest.mark.parametrize("edge", [29, 31, 34])
def test_an_edge_of_the_curve_close_to_the_threshold_is_not_shown_beside_the_calls(
    edge: int,
) -> None:
    # 30 called positive, `edge` above an edge: the difference would count 1 to 4 patients.
    assert hidden(external(histogram__metastasis=[40 - edge, edge])) == {
        "histogram.metastasis",
        "histogram.no_metastasis",
        "histogram.edges",
    }


def test_a_curve_with_the_threshold_among_its_edges_is_shown_beside_the_calls() -> None:
    assert (
        hidden(external(histogram__metastasis=[10, 25, 5], histogram__no_metastasis=[50, 0, 9]))
        == set()
    )


def test_pictures_that_are_not_of_all_positive_calls_do_not_tell_how_many_are_missing() -> None:
    assert hidden(external(overlays=37)) == {"overlays"}


@pytest.mark.parametrize(("examples", "leaves"), [(8, False), (10, True)])
def test_a_training_leaves_only_if_its_positives_may_be_counted(
    examples: int, leaves: bool
) -> None:
    # Twice the positives are shown in an epoch, so that 8 examples would tell of 4 patients.
    metrics: dict[str, Metric] = {"num-examples": examples, "loss": 0.5, "accuracy": 0.5}
    reply = Reply(MessageType.TRAIN, 1, {}, metrics)

    if leaves:
        assert hide_small_cells(reply, 5).metrics == metrics
    else:
        with pytest.raises(EgressRefused):
            hide_small_cells(reply, 5)


@pytest.mark.parametrize(("changes", "leaves"), [({}, True), ({"train-examples": 8}, False)])
def test_a_model_of_this_site_alone_leaves_as_a_round_of_training_does(
    changes: dict[str, Metric], leaves: bool
) -> None:
    metrics: dict[str, Metric] = {**validation([6, 7], [8], 21).metrics, "best-round": 1}
    metrics |= {"train-examples": 10} | changes
    reply = Reply(MessageType.LOCAL, 0, {}, metrics)

    if leaves:
        assert hide_small_cells(reply, 5).metrics == metrics
    else:
        with pytest.raises(EgressRefused):
            hide_small_cells(reply, 5)


def test_a_model_of_this_site_alone_says_no_more_of_its_validation_than_a_round() -> None:
    metrics = {"best-round": 3, "train-examples": 40}
    small_bin = validation([6, 4], [30], 40).metrics
    small_class = validation([4], [40], 44).metrics

    safe = hide_small_cells(Reply(MessageType.LOCAL, 0, {}, {**small_bin, **metrics}), 5)
    assert set(safe.hidden) == HISTOGRAMS
    with pytest.raises(EgressRefused):
        hide_small_cells(Reply(MessageType.LOCAL, 0, {}, {**small_class, **metrics}), 5)


COUNTS = arrays(np.int64, st.tuples(st.just(2), st.integers(1, 12)), elements=st.integers(0, 9))


def is_safe(counts: Histogram, min_cell: int) -> bool:
    return bool(((counts == 0) | (counts >= min_cell)).all())


SCANS = st.lists(st.tuples(st.floats(-9, 9), st.booleans()), min_size=1, max_size=200)


@given(SCANS, st.floats(0.05, 0.95), st.integers(1, 12))
def test_cells_of_the_curve_leave_nothing_to_subtract_from_the_calls(
    scans: list[tuple[float, bool]], threshold: float, min_cell: int
) -> None:
    margins, labels = np.array([m for m, _ in scans]), np.array([t for _, t in scans])
    called = margins >= margin_of(threshold)
    table: dict[str, Metric] = {
        "tp": int((called & labels).sum()),
        "fn": int((~called & labels).sum()),
        "tn": int((~called & ~labels).sum()),
        "fp": int((called & ~labels).sum()),
        "overlays": int(called.sum()),
    }
    edges = edges_with(threshold)
    cut = int(np.flatnonzero(edges == margin_of(threshold))[0])
    bins = merge_small_bins(histogram(margins, labels, edges), min_cell, cut=cut)
    cells = bins.counts

    shown = hide_small_cells(
        external(**table, **{n.replace(".", "__"): v for n, v in bins.metrics().items()}),
        min_cell,
    )

    assert cells.sum(axis=1).tolist() == [int((~labels).sum()), int(labels.sum())]
    if "tp" in shown.metrics:  # then nothing of the curve had to be hidden for its sake
        assert "histogram.metastasis" in shown.metrics


@given(COUNTS, st.integers(1, 12))
def test_merging_keeps_every_scan(counts: Histogram, min_cell: int) -> None:
    merged = merge_small_bins(counts, min_cell).counts

    assert merged.sum(axis=1).tolist() == counts.sum(axis=1).tolist()
    assert merged.shape[0] == 2
    assert 1 <= merged.shape[1] <= counts.shape[1]


@given(COUNTS, st.integers(1, 12))
def test_merging_leaves_no_small_cell_wherever_that_is_possible(
    counts: Histogram, min_cell: int
) -> None:
    merged = merge_small_bins(counts, min_cell).counts

    # Merging everything is the most that can be done.
    possible = is_safe(counts.sum(axis=1), min_cell)
    assert is_safe(merged, min_cell) is possible
    if not possible:
        assert merged.shape[1] == 1


@given(COUNTS, st.integers(1, 12))
def test_merged_bins_are_neighbours(counts: Histogram, min_cell: int) -> None:
    edges = np.cumsum(merge_small_bins(counts, min_cell).counts, axis=1)
    fine = np.cumsum(counts, axis=1)

    assert all(column.tolist() in fine.T.tolist() for column in edges.T)


@given(COUNTS)
def test_without_a_smallest_count_the_area_stays_the_same(counts: Histogram) -> None:
    if not counts.sum(axis=1).all():
        counts[:, 0] += 1

    assert pooled_auc(merge_small_bins(counts, 1).counts) == pooled_auc(counts)


@given(COUNTS, st.integers(1, 12))
def test_the_area_after_merging_lies_around_the_one_before(
    counts: Histogram, min_cell: int
) -> None:
    if not counts.sum(axis=1).all():
        counts[:, 0] += 1

    fine, coarse = pooled_auc(counts), pooled_auc(merge_small_bins(counts, min_cell).counts)

    assert abs(fine.auc - coarse.auc) <= coarse.bound - fine.bound + 1e-12


def test_a_case_worked_by_hand() -> None:
    counts = np.array([[3, 2, 9, 0, 1], [0, 0, 6, 5, 0]])

    # 3 + 2 close the first bin; 9 and 6 stand alone; 0 and 5 too; the 1 is left and joins back.
    assert merge_small_bins(counts, 5).counts.tolist() == [[5, 10], [0, 11]]


def test_without_scans_one_empty_bin_is_left() -> None:
    assert merge_small_bins(np.zeros((2, 7), np.int64), 5).counts.tolist() == [[0], [0]]


@given(COUNTS, st.integers(1, 12))
def test_the_places_are_where_merged_bins_begin(counts: Histogram, min_cell: int) -> None:
    merged = merge_small_bins(counts, min_cell)

    starts = [0, *(place + 1 for place in merged.places)]
    assert np.add.reduceat(counts, starts, axis=1).tolist() == merged.counts.tolist()


@given(COUNTS, st.integers(1, 12), st.data())
def test_a_cut_is_kept_unless_a_side_of_it_would_be_small(
    counts: Histogram, min_cell: int, data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, max(0, counts.shape[1] - 2)))
    sides = counts[:, : cut + 1].sum(axis=1), counts[:, cut + 1 :].sum(axis=1)

    merged = merge_small_bins(counts, min_cell, cut=cut)

    starts = [0, *(place + 1 for place in merged.places)]
    if all(is_safe(side, min_cell) for side in sides) and counts.shape[1] > 1:
        assert cut in merged.places
        assert is_safe(merged.counts, min_cell)
        assert np.add.reduceat(counts, starts, axis=1).tolist() == merged.counts.tolist()
    elif is_safe(counts.sum(axis=1), min_cell) and counts.shape[1] > 1:
        assert cut not in merged.places
        assert is_safe(merged.counts, min_cell)


def test_the_edge_numbers_of_bins_are_no_scans() -> None:
    # 3 is an edge's number; as a count it would hide the curve.
    assert hidden(external(histogram__edges=[3])) == set()


def test_few_masks_hide_what_the_maps_agree_with() -> None:
    reply = external(masks=4, agreement__model__pointing=0.75)

    assert hidden(reply) == {"masks", "agreement.model.pointing"}
