"""Hiding counts that are small enough to point at a person (disclosure control).

A count from 1 to `min_cell - 1` is hidden, and with it every other count from which it could be
subtracted. Zero is not hidden: nobody is in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bs_common.contract import SPLITS, MessageType
from bs_common.errors import EgressRefused
from bs_common.messages import Metric, Reply
from bs_common.metrics import ROC_EDGES, Histogram, checked_scores, histogram

_LABELS = ("metastasis", "no_metastasis")
_MORE = "Give more patients this split, or lower min_cell if your data protection officer agrees."
# Names that are hidden together: any one of a group can be had from the others and known totals.
_GROUPS: dict[MessageType, tuple[tuple[str, ...], ...]] = {
    MessageType.DESCRIBE: tuple(tuple(f"{split}.{label}" for label in _LABELS) for split in SPLITS),
    MessageType.EVALUATE: (tuple(f"histogram.{label}" for label in _LABELS),),
    MessageType.EXTERNAL: (
        # Positive calls (overlays) = tp + fp, so the rows of the table hide together.
        ("tp", "fn", "tn", "fp", "overlays"),
        # Merged cells are small only where a whole class is; the AUC then ranks its few patients.
        (*(f"roc.{label}" for label in _LABELS), "auc", "auc-low", "auc-high"),
    ),
}


def hide_small_cells(reply: Reply, min_cell: int) -> Reply:
    """Give the reply without the counts that this site must not let out.

    Raises EgressRefused with `small_cell` if what is left would still count fewer than `min_cell`
    scans: a training or validation set, or a class of it, that small cannot take part.
    """
    examples = reply.metrics.get("num-examples")
    # A balanced epoch shows every positive scan and as many others: half of it counts positives.
    at_least = 2 * min_cell if reply.message_type is MessageType.TRAIN else min_cell
    if isinstance(examples, int) and examples < at_least:
        raise EgressRefused(
            "small_cell", "fewer scans than min_cell would be counted", remedy=_MORE
        )
    if any(_is_small(total, min_cell) for total in _validation_classes(reply)):
        # The mean loss of weights that the coordinator chose would tell how many they are.
        raise EgressRefused(
            "small_cell", "a class of the validation scans is below min_cell", remedy=_MORE
        )
    hidden = set(reply.hidden)
    for group in _GROUPS.get(reply.message_type, ()):
        present = [name for name in group if name in reply.metrics]
        if any(_is_small(reply.metrics[name], min_cell) for name in present):
            hidden.update(present)
    hidden.update(_subtractable(reply.metrics, hidden, min_cell))
    hidden.update(
        name
        for name, value in reply.metrics.items()
        if name.startswith("refused.") and _is_small(value, min_cell)
    )
    metrics = {name: value for name, value in reply.metrics.items() if name not in hidden}
    return replace(reply, metrics=metrics, hidden=tuple(sorted(hidden)))


def _validation_classes(reply: Reply) -> list[int]:
    """Count the validation scans of each class."""
    if reply.message_type is not MessageType.EVALUATE:
        return []
    histograms = [reply.metrics.get(f"histogram.{label}") for label in _LABELS]
    return [int(sum(counts)) for counts in histograms if isinstance(counts, list)]


def _subtractable(metrics: Mapping[str, Metric], hidden: set[str], min_cell: int) -> Iterator[str]:
    """Name what the shown table of calls would turn into a small count by subtraction.

    Called positive and above an edge of the curve are both sets of the highest scores, so that the
    difference of their numbers counts the scans between; overlays are of those called positive.
    """
    tp, fp = metrics.get("tp"), metrics.get("fp")
    if not isinstance(tp, int) or not isinstance(fp, int) or {"tp", "fp"} & hidden:
        return
    for label, called in (("metastasis", tp), ("no_metastasis", fp)):
        cells = metrics.get(f"roc.{label}")
        if isinstance(cells, list):
            above = np.cumsum([0, *cells[::-1]])
            if _is_small([abs(int(count) - called) for count in above], min_cell):
                yield from (f"roc.{name}" for name in _LABELS)
    overlays = metrics.get("overlays")
    if isinstance(overlays, int) and _is_small(abs(tp + fp - overlays), min_cell):
        yield "overlays"


def _is_small(value: object, min_cell: int) -> bool:
    counts: Iterable[object] = value if isinstance(value, list) else [value]
    return any(isinstance(count, int) and 0 < count < min_cell for count in counts)


def roc_cells(
    margins: ArrayLike, labels: ArrayLike, *, called: NDArray[np.bool_], min_cell: int
) -> Histogram:
    """Give the ROC curve's cells, merged so that neither they nor their differences are small.

    Parameters
    ----------
    margins, labels, called : (scans,) as for `bs_common.metrics.histogram`, and whether each scan
        is called positive; a margin of a called scan is above that of every other.

    Returns
    -------
    (2, bins) as `merge_small_bins` gives them. The threshold is an edge wherever the table of
    calls may be shown, so that it cannot be compared with an edge close by.
    """
    scores, truth = checked_scores(margins, labels)
    sides = [histogram(scores[side], truth[side], ROC_EDGES) for side in (~called, called)]
    if any(_is_small(side.sum(axis=1).tolist(), min_cell) for side in sides):
        return merge_small_bins(sides[0] + sides[1], min_cell)
    return np.hstack([merge_small_bins(side, min_cell) for side in sides])


def merge_small_bins(counts: Histogram, min_cell: int) -> Histogram:
    """Merge neighbouring bins until every count of both classes is zero or at least `min_cell`.

    Parameters
    ----------
    counts : (2, bins) scans of each class between rising edges of the margin.

    Returns
    -------
    (2, bins or fewer); row sums are kept. Where a class has scans, but fewer than `min_cell`, one
    bin with that small count is left. Without scans: one empty bin.
    """
    merged: list[np.ndarray[tuple[int], np.dtype[np.int64]]] = []
    open_bin = np.zeros(2, np.int64)
    for column in counts.T:
        open_bin = open_bin + column
        if ((open_bin == 0) | (open_bin >= min_cell)).all() and open_bin.any():
            merged.append(open_bin)
            open_bin = np.zeros(2, np.int64)
    if open_bin.any():
        # What is left is too small to stand alone, so it joins bins until it is not.
        while merged and not ((open_bin == 0) | (open_bin >= min_cell)).all():
            open_bin = open_bin + merged.pop()
        merged.append(open_bin)
    return np.stack(merged, axis=1) if merged else np.zeros((2, 1), np.int64)
