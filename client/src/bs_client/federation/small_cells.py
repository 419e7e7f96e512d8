"""Hiding counts that are small enough to point at a person (disclosure control).

A count from 1 to `min_cell - 1` is hidden, and with it every other count from which it could be
subtracted. Zero is not hidden: nobody is in it. Calls of further models are rounded
(`rounded_calls`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bs_client.federation.rounded_calls import round_calls
from bs_client.federation.small_readers import small_readers
from bs_client.federation.small_subgroups import small_subgroups
from bs_common.bins import COUNTS_NAMES, EDGES_NAME
from bs_common.contract import (
    AGREEMENT,
    ARTEFACTS,
    AUC_FIGURES,
    CALIBRATION,
    COMPARED,
    SPLITS,
    MessageType,
)
from bs_common.errors import EgressRefused
from bs_common.messages import Metric, Reply
from bs_common.metrics import Histogram

_Counts = NDArray[np.int64]

_BINS = (*COUNTS_NAMES, EDGES_NAME)
_NOT_SCANS = frozenset({EDGES_NAME})  # whole numbers that count no scan
_LABELS = ("metastasis", "no_metastasis")
_MORE = "Give more patients this split, or lower min_cell if your data protection officer agrees."
# Names that are hidden together: any one of a group can be had from the others and known totals.
_GROUPS: dict[MessageType, tuple[tuple[str, ...], ...]] = {
    MessageType.DESCRIBE: tuple(tuple(f"{split}.{label}" for label in _LABELS) for split in SPLITS),
    MessageType.LOCAL: (_BINS,),
    MessageType.EVALUATE: (_BINS,),
    MessageType.EXTERNAL: (
        # Positive calls = tp + fp, so the rows of the table hide together. A map is made of every
        # positive call: what stands in the others (`overlays`) would be had by subtraction.
        ("tp", "fn", "tn", "fp", "overlays", *ARTEFACTS),
        # Merged bins are small only where a whole class is; the AUC then ranks its few patients.
        (
            *_BINS,
            *("auc", "auc-low", "auc-high", "auc-bootstrap-low", "auc-bootstrap-high"),
            *("brier", *CALIBRATION),
            *(name for name in COMPARED if name.rpartition(".")[2] in AUC_FIGURES),
        ),
        ("masks", *AGREEMENT),
    ),
}


def hide_small_cells(reply: Reply, min_cell: int) -> Reply:
    """Give the reply without the counts that this site must not let out.

    Raises EgressRefused with `small_cell` if what is left would still count fewer than `min_cell`
    scans: a training or validation set, or a class of it, that small cannot take part.
    """
    if any(examples < at_least for examples, at_least in _examples(reply, min_cell)):
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
        counts = [reply.metrics[name] for name in present if name not in _NOT_SCANS]
        if any(_is_small(count, min_cell) for count in counts):
            hidden.update(present)
    hidden.update(_subtractable(reply.metrics, hidden, min_cell))
    hidden |= small_subgroups(reply.metrics, min_cell, table_hidden="tp" in hidden)
    if reply.message_type is MessageType.READERS:
        hidden |= small_readers(reply.metrics, min_cell)
    hidden.update(
        name
        for name, value in reply.metrics.items()
        if name.startswith("refused.") and _is_small(value, min_cell)
    )
    calls = round_calls(reply.metrics, min_cell)
    hidden |= calls.hidden
    shown = {**reply.metrics, **calls.rounded}
    metrics = {name: value for name, value in shown.items() if name not in hidden}
    return replace(reply, metrics=metrics, hidden=tuple(sorted(hidden)))


def _examples(reply: Reply, min_cell: int) -> Iterator[tuple[int, int]]:
    """Give each number of examples in a reply with the least that it may be."""
    trained = "num-examples" if reply.message_type is MessageType.TRAIN else "train-examples"
    for name in ("num-examples", "train-examples"):
        # A balanced epoch shows every positive scan and as many others: half counts positives.
        count, at_least = reply.metrics.get(name), min_cell * (2 if name == trained else 1)
        if isinstance(count, int):
            yield count, at_least


def _validation_classes(reply: Reply) -> list[int]:
    """Count the validation scans of each class."""
    if reply.message_type not in (MessageType.EVALUATE, MessageType.LOCAL):
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
        cells = metrics.get(f"histogram.{label}")
        if isinstance(cells, list):
            above = np.cumsum([0, *cells[::-1]])
            if _is_small([abs(int(count) - called) for count in above], min_cell):
                yield from _BINS
    overlays = metrics.get("overlays")
    if isinstance(overlays, int) and _is_small(abs(tp + fp - overlays), min_cell):
        yield "overlays"


def _is_small(value: object, min_cell: int) -> bool:
    counts: Iterable[object] = value if isinstance(value, list) else [value]
    return any(isinstance(count, int) and 0 < count < min_cell for count in counts)


@dataclass(frozen=True, slots=True, eq=False)
class MergedBins:
    """Bins without a small count.

    counts : (2, bins) int64.
    places : numbers of the edges that are left between them, rising, (bins - 1).
    """

    counts: Histogram
    places: tuple[int, ...]

    def metrics(self) -> dict[str, Metric]:
        """Give the bins under the contract's names."""
        named: dict[str, Metric] = {EDGES_NAME: list(self.places)}
        for name, row in zip(COUNTS_NAMES, self.counts, strict=True):
            named[name] = row.tolist()
        return named


def merge_small_bins(counts: Histogram, min_cell: int, *, cut: int | None = None) -> MergedBins:
    """Merge neighbouring bins until every count of both classes is zero or at least `min_cell`.

    Parameters
    ----------
    counts : (2, bins) scans of each class between rising edges of the margin.
    cut : number of an edge to keep, such as the threshold's. It goes where a side of it would hold
        a small count: the table of calls is hidden then, and the edge would tell it.

    Returns
    -------
    Bins whose row sums are kept. Where a class has scans, but fewer than `min_cell`, one bin with
    that small count is left. Without scans: one empty bin.
    """
    if cut is not None:
        sides = counts[:, : cut + 1], counts[:, cut + 1 :]
        if all(_may_stand(side.sum(axis=1), min_cell) for side in sides):
            low, high = (merge_small_bins(side, min_cell) for side in sides)
            moved = tuple(place + cut + 1 for place in high.places)
            return MergedBins(np.hstack([low.counts, high.counts]), (*low.places, cut, *moved))
    merged: list[_Counts] = []
    ends: list[int] = []  # last bin in each merged one
    open_bin = np.zeros(2, np.int64)
    for place, column in enumerate(counts.T):
        open_bin = open_bin + column
        if _may_stand(open_bin, min_cell) and open_bin.any():
            merged.append(open_bin)
            ends.append(place)
            open_bin = np.zeros(2, np.int64)
    if open_bin.any():
        # What is left is too small to stand alone, so it joins bins until it is not.
        while merged and not _may_stand(open_bin, min_cell):
            open_bin = open_bin + merged.pop()
            ends.pop()
        merged.append(open_bin)
        ends.append(counts.shape[1] - 1)
    if not merged:
        return MergedBins(np.zeros((2, 1), np.int64), ())
    return MergedBins(np.stack(merged, axis=1), tuple(ends[:-1]))


def _may_stand(cells: _Counts, min_cell: int) -> bool:
    return bool(((cells == 0) | (cells >= min_cell)).all())
