"""Hiding small counts in a reader study's aggregates, whether of scans or of readers.

A share of known scans is a count: a sensitivity of 66 in 67 says that one patient was missed. So
the rule for counts holds for what they are of.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from bs_common.contract import MODEL_SECONDS, READER_ARMS, READER_CASES
from bs_common.messages import Metric

_OF_NO_SCAN = frozenset({"readers", "synthetic", *MODEL_SECONDS})
_POSITIVES, _NEGATIVES = READER_CASES
_TABLE = ("sensitivity", "specificity", "f1")  # any two give the third
_OF_READERS = ("auc.", "sensitivity.", "specificity.", "f1.", "seconds.", "minutes")
_EXACT = 1e-6  # a share times its scans, as counts are compared


def small_readers(metrics: Mapping[str, Metric], min_cell: int) -> set[str]:
    """Name the figures of a reader study that must not leave.

    - Where a class has fewer scans than `min_cell`: all that rests on scans.
    - Sensitivity, specificity and F1 of an arm or of the model, where one of them stands for a
      count below `min_cell`, or where the scans of a class are not told.
    - With fewer readers than `min_cell`: medians, quartiles and times, from which each reader's
      could be had; unless the site lets these out by themselves.
    """
    if any(_is_small(metrics.get(name), min_cell) for name in READER_CASES):
        return set(metrics) - _OF_NO_SCAN
    hidden: set[str] = set()
    for whose in (*READER_ARMS, "model"):
        table = {name for name in metrics if _figure_of(name, whose) in _TABLE}
        if any(_tells_small_count(name, metrics, min_cell) for name in table):
            hidden |= table
    return hidden | set(_small_groups(metrics, min_cell))


def _figure_of(name: str, whose: str) -> str:
    """Give which figure of an arm or the model a name is, or an empty text."""
    if not name.startswith(f"{whose}."):
        return ""
    words = name.removeprefix(f"{whose}.").removeprefix("each-reader.")
    return words.partition(".")[0].partition("-")[0]


def _tells_small_count(name: str, metrics: Mapping[str, Metric], min_cell: int) -> bool:
    if name.endswith(("-low", "-high")):
        return False  # Wilson's interval follows from the share, which is looked at
    for figure, scans_name in (("sensitivity", _POSITIVES), ("specificity", _NEGATIVES)):
        if f".{figure}" in name:
            scans = metrics.get(scans_name)
            value = metrics[name]
            shares = value if isinstance(value, list) else [value]
            return not isinstance(scans, int) or any(_counts_small(shares, scans, min_cell))
    return False


def _counts_small(shares: Iterable[float], scans: int, min_cell: int) -> Iterator[bool]:
    for share in shares:
        for count in (share * scans, (1 - share) * scans):
            yield _EXACT < count < min_cell - _EXACT


def _small_groups(metrics: Mapping[str, Metric], min_cell: int) -> Iterator[str]:
    if not _is_small(metrics.get("readers"), min_cell):
        return
    for arm in READER_ARMS:
        if f"{arm}.each-reader.auc" not in metrics:
            prefixes = tuple(f"{arm}.{figure}" for figure in _OF_READERS)
            yield from (name for name in metrics if name.startswith(prefixes))


def _is_small(value: object, min_cell: int) -> bool:
    return isinstance(value, int) and 0 < value < min_cell
