"""Where a scan is called positive, chosen on pooled validation scans and never on those judged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bs_common.bins import ScoreBins, probability_of

RULE_PATTERN = r"^(fixed|youden|sensitivity:(0\.\d*[1-9]\d*))$"

_Values = NDArray[np.float64]


class Threshold(NamedTuple):
    """A cut on the probability, an edge of the sites' score bins.

    sensitivity, specificity : on the validation scans; where the edge lies inside a merged bin of a
        site, half of that bin counts above it.
    """

    probability: float
    sensitivity: float
    specificity: float


def choose_threshold(rule: str, sites: Sequence[ScoreBins]) -> Threshold | None:
    """Choose among the edges of all sites' bins.

    Parameters
    ----------
    rule : "youden" takes the edge with the highest sensitivity + specificity (Youden 1950, Cancer
        3:32); "sensitivity:S" the highest edge that keeps a sensitivity of S, or the lowest of all
        where none does. Of equals the one nearest to probability 0.5 is taken.
    sites : validation scores of each site.

    Returns
    -------
    None for the rule "fixed", which chooses nothing, and where a class has no scan or no edge is
    left.
    """
    edges = np.unique(np.concatenate([site.edges for site in sites]))
    totals = np.sum([site.counts.sum(axis=1) for site in sites], axis=0)
    if rule == "fixed" or edges.size == 0 or not totals.all():
        return None
    above = np.sum([_above(site, edges) for site in sites], axis=0)  # (2, edges)
    specificity, sensitivity = 1 - above[0] / totals[0], above[1] / totals[1]
    if rule == "youden":
        place = _best(sensitivity + specificity, edges)
    else:
        wanted = float(rule.partition(":")[2])
        kept = np.flatnonzero(sensitivity >= wanted)
        place = int(kept[-1]) if kept.size else 0
    return Threshold(
        probability_of(float(edges[place])), float(sensitivity[place]), float(specificity[place])
    )


def _above(bins: ScoreBins, edges: _Values) -> _Values:
    """Count each class at or above each edge, (2, edges)."""
    above = bins.lows[:, np.newaxis] >= edges
    across = ~above & (bins.highs[:, np.newaxis] > edges)
    counted: _Values = bins.counts @ (above + across / 2)
    return counted


def _best(values: _Values, edges: _Values) -> int:
    # Sums of the same shares in another order differ in the last digit.
    equals = np.flatnonzero(values >= values.max() - 1e-12)
    return int(equals[np.abs(edges[equals]).argmin()])
