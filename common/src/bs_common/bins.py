"""Scans by score, in bins that a site has merged until none is small, and pooling them.

Sites merge differently, so their bins overlap. A pair of scans whose bins do not overlap is
decided; the others leave the pooled AUC within a bound that is stated.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from bs_common.errors import ReplyRefused
from bs_common.metrics import (
    HISTOGRAM_EDGES,
    ROC_EDGES,
    Confusion,
    Histogram,
    PooledAuc,
    require_classes,
)

Edges = NDArray[np.float64]

EDGES_NAME = "histogram.edges"
COUNTS_NAMES = ("histogram.no_metastasis", "histogram.metastasis")


@dataclass(frozen=True, slots=True, eq=False)
class ScoreBins:
    """Scans of each class between edges of the logit margin.

    edges : (bins - 1,) float64, rising; the first bin has no lower and the last no upper end.
    counts : (2, bins) int64; row 0 no metastasis, row 1 metastasis.
    """

    edges: Edges
    counts: Histogram

    @property
    def lows(self) -> Edges:
        """Lower end of each bin; a margin equal to it lies in the bin."""
        return np.concatenate([[-np.inf], self.edges])

    @property
    def highs(self) -> Edges:
        """Upper end of each bin; a margin equal to it lies in the next."""
        return np.concatenate([self.edges, [np.inf]])

    def confusion_at(self, edge: float) -> Confusion:
        """Count the calls where a margin of `edge`, one of the edges, or more is called."""
        above = self.lows >= edge
        (fp, tp), (tn, fn) = (self.counts[:, part].sum(axis=1) for part in (above, ~above))
        return Confusion(tp=int(tp), fn=int(fn), tn=int(tn), fp=int(fp))


def margin_of(probability: float) -> float:
    """Give the logit margin of a probability in (0, 1)."""
    return math.log(probability) - math.log1p(-probability)


def probability_of(margin: float) -> float:
    """Give the probability of a logit margin."""
    return 1 / (1 + math.exp(-margin))


def edges_with(threshold: float) -> Edges:
    """Give the edges of the external evaluation: `ROC_EDGES`, the nearest moved to the threshold.

    So the curve goes through the working point, and no second cut lies close to it from which few
    scans could be told.
    """
    margin = margin_of(threshold)
    edges = ROC_EDGES.copy()
    edges[np.abs(edges - margin).argmin()] = margin
    return edges


def bins_from_metrics(
    metrics: Mapping[str, object], grid: Edges = HISTOGRAM_EDGES
) -> ScoreBins | None:
    """Read bins from a reply's numbers; None where the site has hidden them.

    Parameters
    ----------
    grid : the edges to which the reply's edge numbers point; without such numbers the bins are
        those of the whole grid.

    Raises
    ------
    ReplyRefused if edges and counts do not belong together.
    """
    rows = [metrics.get(name) for name in COUNTS_NAMES]
    if not all(isinstance(row, list) for row in rows):
        return None
    numbers = metrics.get(EDGES_NAME, list(range(grid.size)))
    places = np.asarray(numbers, np.int64)
    if {len(row) for row in rows if isinstance(row, list)} != {places.size + 1}:
        raise ReplyRefused("length", "the score bins of the two classes do not fit their edges")
    if (np.diff(places) <= 0).any() or (
        places.size and not 0 <= places[0] <= places[-1] < grid.size
    ):
        raise ReplyRefused("edges", "the edges of the score bins do not rise within the grid")
    return ScoreBins(grid[places], np.asarray(rows, np.int64))


def bracket_auc(sites: Sequence[ScoreBins]) -> PooledAuc:
    """Bracket the area under the ROC curve of all sites' scans together.

    A scan with metastasis in bin [a, b) and one without in [c, d) are in order where a >= d, out of
    order where b <= c, and undecided otherwise; `auc` counts undecided pairs as ties, and `bound`
    is half their share. Of bins with the same edges it is `metrics.pooled_auc` of their sum.

    Raises
    ------
    ClassTooSmall if a class has no scan.
    """
    lows, highs = (np.concatenate([getattr(s, name) for s in sites]) for name in ("lows", "highs"))
    counts = np.concatenate([site.counts for site in sites], axis=1)
    without, with_metastasis = counts
    require_classes(int(with_metastasis.sum()), int(without.sum()))
    wins = lows[:, np.newaxis] >= highs[np.newaxis, :]  # (bins with, bins without)
    losses = highs[:, np.newaxis] <= lows[np.newaxis, :]
    pairs = int(with_metastasis.sum()) * int(without.sum())
    decided = int(with_metastasis @ wins @ without)
    undecided = pairs - decided - int(with_metastasis @ losses @ without)
    return PooledAuc((2 * decided + undecided) / (2 * pairs), undecided / (2 * pairs))


def pool_bins(sites: Sequence[ScoreBins]) -> ScoreBins:
    """Add the sites' counts between the edges that all of them have."""
    shared = reduce(np.intersect1d, [site.edges for site in sites])
    counts = sum(_regrouped(site, shared) for site in sites)
    return ScoreBins(shared, np.asarray(counts, np.int64))


def _regrouped(bins: ScoreBins, edges: Edges) -> Histogram:
    starts = np.searchsorted(bins.lows, np.concatenate([[-np.inf], edges]))
    return np.add.reduceat(bins.counts, starts, axis=1)


def auc_interval(sites: Sequence[ScoreBins], level: float = 0.95) -> tuple[float, float]:
    """Give an interval of the pooled AUC: DeLong's from the shared bins, widened by the bound.

    With p_b and n_b the scans of each class in bin b, and ties counted half, DeLong's components
    are V10_b = (N_<b + n_b / 2) / N for p_b scans and V01_b = (P_>b + p_b / 2) / P for n_b.

    Raises
    ------
    ClassTooSmall if a class has fewer than two scans.
    """
    auc, bound = bracket_auc(sites)
    half = NormalDist().inv_cdf((1 + level) / 2) * binned_standard_error(pool_bins(sites).counts)
    return max(0.0, auc - bound - half), min(1.0, auc + bound + half)


def binned_standard_error(counts: Histogram) -> float:
    """Give DeLong's standard error of the AUC, scans of one bin counted as ties."""
    without, with_metastasis = counts
    n, m = int(without.sum()), int(with_metastasis.sum())
    require_classes(m, n, at_least=2)
    of_positives = (np.cumsum(without) - without / 2) / n
    of_negatives = 1 - (np.cumsum(with_metastasis) - with_metastasis / 2) / m
    variance = _variance(of_positives, with_metastasis) / m + _variance(of_negatives, without) / n
    return math.sqrt(variance)


def _variance(values: Edges, counts: NDArray[np.int64]) -> float:
    mean = np.average(values, weights=counts)
    return float((counts * (values - mean) ** 2).sum() / (counts.sum() - 1))


def reliability_bins(bins: ScoreBins, groups: int = 10) -> ScoreBins:
    """Join bins so that their ends lie nearest to equal steps of the probability.

    The bins' own ends are kept, so no count smaller than the site's comes about.
    """
    if bins.edges.size == 0:
        return bins
    wanted = [margin_of(k / groups) for k in range(1, groups)]
    nearest = {int(np.abs(bins.edges - margin).argmin()) for margin in wanted}
    edges = bins.edges[sorted(nearest)]
    return ScoreBins(edges, _regrouped(bins, edges))
