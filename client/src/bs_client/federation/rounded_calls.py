"""The calls of further models on the same scans, so that no two tables tell of a few patients.

The calls of two models are two sets of the same patients. Where one holds the other, as of one
model at two thresholds, the difference of two exact counts is the number of patients between, and
whoever chooses the models chooses who these are. The study's own table is exact; so of every
further model the numbers called positive are rounded: each number that leaves stands for at least
`min_cell` possible ones, among them always one that makes the difference to any other number zero
or at least `min_cell`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bs_common.contract import COMPARED, CONFUSION_CELLS, MOST_COMPARED, ROUNDED_TO
from bs_common.messages import Metric


@dataclass(frozen=True, slots=True)
class RoundedCalls:
    """What may be told of the further models' calls.

    rounded : in place of the exact counts, and how coarse they are.
    hidden : names of the tables with a small count.
    """

    rounded: dict[str, Metric]
    hidden: set[str]


def round_calls(metrics: Mapping[str, Metric], min_cell: int) -> RoundedCalls:
    """Round the table of every further model; hide one that has a small count.

    The rows keep their sums, the scans of each class, which are known: of each row one number is
    rounded, and the other is what is left.
    """
    rounded: dict[str, Metric] = {}
    hidden: set[str] = set()
    for place in range(1, MOST_COMPARED + 1):
        names = [f"compared.{place}.{cell}" for cell in CONFUSION_CELLS]
        counts = [value for name in names if isinstance(value := metrics.get(name), int)]
        if len(counts) < len(names):
            continue
        if any(0 < count < min_cell for count in counts):
            hidden.update(names)
            continue
        tp, fn, tn, fp = counts
        positives, negatives = tp + fn, tn + fp
        tp, fp = round_count(tp, positives, min_cell), round_count(fp, negatives, min_cell)
        rounded |= zip(names, (tp, positives - tp, negatives - fp, fp), strict=True)
    if any(name in metrics for name in COMPARED):
        rounded[ROUNDED_TO] = min_cell
    return RoundedCalls(rounded, hidden)


def round_count(count: int, total: int, step: int) -> int:
    """Give the middle of the range in which a count lies.

    0 and `total` stay: nobody is in one of the parts. From `step` to `total - step` there are
    ranges of `step` numbers, the last with up to `step - 1` more.

    Parameters
    ----------
    count : 0, `total`, or a number that leaves `step` at least in both parts.
    """
    if count in (0, total):
        return count
    numbers = total - 2 * step + 1  # that a count may be
    last = max(0, numbers // step - 1)
    place = min((count - step) // step, last)
    low = step + place * step
    high = total - step if place == last else low + step - 1
    return (low + high) // 2
