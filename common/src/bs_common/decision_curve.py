"""Decision curve: whether acting on a model beats acting on everybody, or on nobody."""

from __future__ import annotations

from typing import NamedTuple

from bs_common.errors import DataError
from bs_common.metrics import Confusion


class NetBenefit(NamedTuple):
    """Net benefit a scan, in units of true positives, at one threshold probability.

    model : of acting where the model says so.
    everybody : of acting on all; acting on nobody has net benefit 0.
    """

    threshold: float
    model: float
    everybody: float


def net_benefit(table: Confusion, threshold: float) -> NetBenefit:
    """Weigh true against false calls (Vickers and Elkin 2006, Med Decis Making 26:565).

    A threshold probability p says that one true call is worth p / (1 - p) false ones at most:

        NB = TP / n - FP / n * p / (1 - p)

    Parameters
    ----------
    table : calls at `threshold`.
    threshold : probability in (0, 1).

    Raises
    ------
    DataError without scans, or if the threshold is 0, 1 or beyond.
    """
    if table.total == 0 or not 0 < threshold < 1:
        raise DataError(
            f"no net benefit of {table.total} scans at threshold {threshold}",
            remedy="Give at least one scan and a threshold between 0 and 1.",
        )
    odds = threshold / (1 - threshold)
    positives, negatives = table.tp + table.fn, table.tn + table.fp
    return NetBenefit(
        threshold=threshold,
        model=(table.tp - table.fp * odds) / table.total,
        everybody=(positives - negatives * odds) / table.total,
    )
