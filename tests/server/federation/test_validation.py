"""Pooling the sites' validation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from bs_common.contract import HISTOGRAM_BINS, MessageType
from bs_common.messages import Metric, Reply
from bs_common.metrics import histogram
from bs_server.federation.validation import pool_validation


def reply(
    margins: list[float], labels: list[int], *, loss: float = 0.5, hide: bool = False
) -> Reply:
    counts = histogram(margins, labels)
    metrics: dict[str, Metric] = {"num-examples": len(labels), "loss": loss}
    names = ("histogram.no_metastasis", "histogram.metastasis")
    if hide:
        return Reply(MessageType.EVALUATE, 1, {}, metrics, hidden=names)
    metrics |= {name: counts[row].tolist() for row, name in enumerate(names)}
    return Reply(MessageType.EVALUATE, 1, {}, metrics)


def test_pooled_figures_are_those_worked_by_hand() -> None:
    # Positives at 1 and 3, negatives at -1, 2 and -3: of 6 pairs only (1, 2) is the wrong way.
    one = reply([1.0, -1.0, 2.0], [1, 0, 0], loss=0.3)
    other = reply([3.0, -3.0], [1, 0], loss=0.8)

    pooled = pool_validation({"aachen": one, "aalborg": other})

    assert pooled.auc == pytest.approx(5 / 6)
    assert pooled.auc_bound == 0
    assert pooled.loss == pytest.approx((3 * 0.3 + 2 * 0.8) / 5)
    assert (pooled.examples, pooled.hidden) == (5, {})


SCAN = st.tuples(st.floats(-9, 9), st.integers(0, 1))


@settings(deadline=None)
@given(st.lists(SCAN, min_size=1, max_size=15), st.lists(SCAN, min_size=1, max_size=15))
def test_the_auc_of_the_pooled_scans_lies_within_the_bound(
    one: list[tuple[float, int]], other: list[tuple[float, int]]
) -> None:
    margins, labels = zip(*one, *other, strict=True)
    sites = {
        "aachen": reply([m for m, _ in one], [y for _, y in one]),
        "aalborg": reply([m for m, _ in other], [y for _, y in other]),
    }

    pooled = pool_validation(sites)

    if len(set(labels)) < 2:
        assert (pooled.auc, pooled.auc_bound, pooled.hidden) == (None, None, {})
        return
    assert pooled.auc is not None
    assert pooled.auc_bound is not None
    assert abs(roc_auc_score(labels, margins) - pooled.auc) <= pooled.auc_bound + 1e-12


def test_the_order_of_arrival_does_not_change_the_figures() -> None:
    sites = {f"site{k}": reply([k / 7, -k / 3], [1, 0], loss=0.1 * k) for k in range(1, 6)}

    assert pool_validation(sites) == pool_validation(dict(reversed(sites.items())))


def test_one_hidden_histogram_hides_the_pooled_auc_and_keeps_the_loss() -> None:
    shown, hiding = reply([1.0, -1.0], [1, 0], loss=0.2), reply([1.0], [1], loss=0.8, hide=True)

    pooled = pool_validation({"aachen": shown, "aalborg": hiding})

    assert (pooled.auc, pooled.auc_bound) == (None, None)
    assert pooled.hidden == {"pooled_auc": "small_cell", "pooled_auc_bound": "small_cell"}
    assert pooled.loss == pytest.approx((2 * 0.2 + 0.8) / 3)


def test_an_auc_without_one_of_the_classes_is_not_known_and_not_called_hidden() -> None:
    pooled = pool_validation({"aachen": reply([1.0, 2.0], [0, 0])})

    assert pooled.auc is None
    assert pooled.hidden == {}


def test_the_histograms_have_the_contracts_length() -> None:
    counts = reply([0.0], [1]).metrics["histogram.metastasis"]

    assert np.shape(counts) == (HISTOGRAM_BINS,)
