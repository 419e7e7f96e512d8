"""Hiding small cells of subgroup tables, and the cells from which they could be subtracted.

The levels of a variable, with the scans of whom it is not known, add to the table of all calls. A
level with a small count is hidden whole; then more are hidden until what all hidden ones together
count, which anybody can work out, is not small either.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from bs_common.contract import CONFUSION_CELLS, SUBGROUPS

_Cells = NDArray[np.int64]


def small_subgroups(
    metrics: Mapping[str, object], min_cell: int, *, table_hidden: bool
) -> set[str]:
    """Name the subgroup cells that must not leave.

    Parameters
    ----------
    metrics : a reply's numbers; those that are no subgroup's are passed over.
    table_hidden : whether the table of all calls is hidden. The levels would add to it, so all of
        them are hidden then.
    """
    hidden: set[str] = set()
    for variable, levels in SUBGROUPS.items():
        cells = {
            level: counts
            for level in levels
            if (counts := _cells(metrics, f"subgroup.{variable}.{level}")) is not None
        }
        kept = set() if table_hidden else _levels_shown(cells, _cells(metrics, None), min_cell)
        hidden |= {
            f"subgroup.{variable}.{level}.{cell}"
            for level in set(cells) - kept
            for cell in CONFUSION_CELLS
        }
    return hidden


def _cells(metrics: Mapping[str, object], prefix: str | None) -> _Cells | None:
    names = [f"{prefix}.{cell}" if prefix else cell for cell in CONFUSION_CELLS]
    values = [metrics.get(name) for name in names]
    counts = [value for value in values if isinstance(value, int)]
    return np.array(counts, np.int64) if len(counts) == len(CONFUSION_CELLS) else None


def _levels_shown(cells: Mapping[str, _Cells], table: _Cells | None, min_cell: int) -> set[str]:
    """Choose the levels that may be shown; the largest are kept longest."""
    if table is None:
        return set()
    shown = {level for level, counts in cells.items() if not _is_small(counts, min_cell)}
    while shown and _is_small(table - sum(cells[level] for level in shown), min_cell):
        # An empty level hides nobody, so leaving it out would help nothing.
        peopled = [level for level in shown if cells[level].any()]
        if not peopled:
            break
        shown.remove(min(peopled, key=lambda level: (int(cells[level].sum()), level)))
    return shown


def _is_small(counts: _Cells, min_cell: int) -> bool:
    return bool(((counts > 0) & (counts < min_cell)).any())
