"""Counts from which a study's figures are made, so that sites can add them and no score travels.

Histograms of the logit margin add across sites and bracket the pooled AUC; a 2 x 2 table gives the
rates. Curves, intervals of the AUC and pictures are the site's work (`bs_client.evaluation`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bs_common.errors import DataError

Margins = NDArray[np.float64]
Labels = NDArray[np.bool_]
Histogram = NDArray[np.int64]

# The margin z_metastasis - z_no_metastasis is the logit of the probability: +-8 is p = 0.99966 and
# 0.00034. 255 edges make 254 bins of 0.063 and an open one at each end; 0 (p = 0.5) is an edge.
HISTOGRAM_EDGES: NDArray[np.float64] = np.arange(-127, 128) * 8 / 127  # linspace is not symmetric
HISTOGRAM_EDGES.flags.writeable = False

# Every fifth edge, 0 among them: 51 points draw a ROC curve without telling the order of the scans.
ROC_EDGES: NDArray[np.float64] = HISTOGRAM_EDGES[2::5]


class ClassTooSmall(DataError):
    """One of the two classes has too few scans for the figure asked for."""

    code = "class_too_small"


class PooledAuc(NamedTuple):
    """An AUC known up to the width of its bins: the exact one lies in `auc` +- `bound`."""

    auc: float
    bound: float


def checked_scores(margins: ArrayLike, labels: ArrayLike) -> tuple[Margins, Labels]:
    """Give margins as (scans,) float64 and labels as (scans,) bool, True for metastasis.

    Raises DataError if they are not one-dimensional and of one length, if a margin is NaN or
    infinite (a diverged model), or if a label is neither 0 nor 1. Empty inputs pass.
    """
    scores = np.asarray(margins, dtype=np.float64)
    truth = np.asarray(labels)
    if scores.ndim != 1 or scores.shape != truth.shape:
        raise DataError(
            f"margins have shape {scores.shape} and labels {truth.shape}, expected one of each",
            remedy="Pass one margin and one label for each scan.",
        )
    if not np.isfinite(scores).all():
        raise DataError(
            f"{np.count_nonzero(~np.isfinite(scores))} of {scores.size} margins are not finite",
            remedy="The model has diverged: go back to an earlier round or a lower learning rate.",
        )
    if not np.isin(truth, (0, 1)).all():
        raise DataError(
            "a label is neither 0 (no metastasis) nor 1 (metastasis)",
            remedy="Correct the labels file.",
        )
    return scores, truth.astype(np.bool_)


def histogram(
    margins: ArrayLike, labels: ArrayLike, edges: NDArray[np.float64] = HISTOGRAM_EDGES
) -> Histogram:
    """Count the scans of each class between fixed edges of the margin.

    Parameters
    ----------
    margins : (scans,) logit margins, finite.
    labels : (scans,) True or 1 for metastasis.
    edges : (bins - 1,) increasing. A margin equal to an edge counts above it, as a probability
        equal to the threshold is called positive.

    Returns
    -------
    (2, bins) int64: row 0 no metastasis, row 1 metastasis; bin 0 lies below the first edge and
    the last bin above the last one. Histograms of sites add to that of the pooled scans.

    Raises
    ------
    DataError as `checked_scores` says. Without scans every count is zero.
    """
    scores, truth = checked_scores(margins, labels)
    places = np.searchsorted(edges, scores, side="right")
    bins = edges.size + 1
    counts = np.bincount(places + bins * truth, minlength=2 * bins)
    return counts.reshape(2, bins).astype(np.int64)


def pooled_auc(counts: Histogram) -> PooledAuc:
    """Bracket the area under the ROC curve of the scans behind a histogram.

    With p_b and n_b the scans with and without metastasis in bin b, N_<b the scans without in the
    bins below, and P and N the totals, the pairs of different bins are decided and those of one
    bin are not:

        lower = sum_b p_b N_<b / (P N)        upper = lower + sum_b p_b n_b / (P N)

    `auc` is the middle, which counts a pair of one bin as a tie, and `bound` half the distance.

    Parameters
    ----------
    counts : (2, bins) integers >= 0, rows and bins as `histogram` gives them.

    Raises
    ------
    ClassTooSmall if a class has no scan, DataError if the counts are not a histogram.
    """
    without, with_metastasis = _checked_histogram(counts)
    below = np.cumsum(without) - without
    decided = int(np.dot(with_metastasis, below))
    undecided = int(np.dot(with_metastasis, without))
    pairs = int(without.sum()) * int(with_metastasis.sum())
    return PooledAuc((2 * decided + undecided) / (2 * pairs), undecided / (2 * pairs))


def roc_points(counts: Histogram) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the ROC curve at a histogram's edges, from (0, 0) to (1, 1).

    Parameters
    ----------
    counts : (2, bins) integers >= 0, rows and bins as `histogram` gives them.

    Returns
    -------
    False and true positive rate, each (bins + 1,), rising. The area of the trapezia below them is
    `pooled_auc`'s.

    Raises
    ------
    ClassTooSmall if a class has no scan, DataError if the counts are not a histogram.
    """
    falling = np.cumsum(_checked_histogram(counts)[:, ::-1], axis=1)
    rates = np.hstack([np.zeros((2, 1)), falling / falling[:, -1:]])
    return rates[0], rates[1]


def _checked_histogram(counts: Histogram) -> Histogram:
    if counts.ndim != 2 or counts.shape[0] != 2 or counts.dtype.kind not in "iu":
        raise DataError(
            f"a histogram has shape {counts.shape} and type {counts.dtype}, "
            "expected (2, bins) integers",
            remedy="Check that both sides run the same version.",
        )
    if (counts < 0).any():
        raise DataError(
            "a histogram has a negative count",
            remedy="Ask the site to repeat the evaluation.",
        )
    require_classes(int(counts[1].sum()), int(counts[0].sum()))
    return counts.astype(np.int64)


def require_classes(positives: int, negatives: int, *, at_least: int = 1) -> None:
    """Raise ClassTooSmall unless both classes have `at_least` scans."""
    if min(positives, negatives) < at_least:
        raise ClassTooSmall(
            f"{positives} scans with and {negatives} without metastasis, "
            f"expected at least {at_least} of each",
            remedy="Add labelled scans of the smaller class, or leave this figure out.",
        )


@dataclass(frozen=True, slots=True)
class Confusion:
    """Scans by call (positive, negative) and by whether the label agrees (true, false).

    A rate whose denominator is zero is None: nobody was there to be right or wrong about.
    """

    tp: int
    fn: int
    tn: int
    fp: int

    def __post_init__(self) -> None:
        """Refuse negative counts."""
        if min(self.tp, self.fn, self.tn, self.fp) < 0:
            raise DataError(
                "a confusion table has a negative count",
                remedy="Count the calls again.",
            )

    @property
    def total(self) -> int:
        """All scans."""
        return self.tp + self.fn + self.tn + self.fp

    @property
    def tpr(self) -> float | None:
        """Sensitivity: share of the scans with metastasis that were called so."""
        return _share(*self.fractions()["tpr"])

    @property
    def fnr(self) -> float | None:
        """Share of the scans with metastasis that were missed."""
        return _share(*self.fractions()["fnr"])

    @property
    def tnr(self) -> float | None:
        """Specificity: share of the scans without metastasis that were called so."""
        return _share(*self.fractions()["tnr"])

    @property
    def fpr(self) -> float | None:
        """Share of the scans without metastasis that were called positive."""
        return _share(*self.fractions()["fpr"])

    @property
    def ppv(self) -> float | None:
        """Share of the positive calls that were right."""
        return _share(*self.fractions()["ppv"])

    @property
    def npv(self) -> float | None:
        """Share of the negative calls that were right."""
        return _share(*self.fractions()["npv"])

    @property
    def accuracy(self) -> float | None:
        """Share of all calls that were right."""
        return _share(*self.fractions()["accuracy"])

    @property
    def f1(self) -> float | None:
        """Harmonic mean of PPV and sensitivity: 2 TP / (2 TP + FP + FN)."""
        return _share(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    @property
    def balanced_accuracy(self) -> float | None:
        """Mean of sensitivity and specificity; None unless both classes have scans."""
        if self.tpr is None or self.tnr is None:
            return None
        return (self.tpr + self.tnr) / 2

    def fractions(self) -> dict[str, tuple[int, int]]:
        """Give each binomial rate as (counted, out of), ready for `wilson`; F1 is none."""
        positives, negatives = self.tp + self.fn, self.tn + self.fp
        return {
            "tpr": (self.tp, positives),
            "fnr": (self.fn, positives),
            "tnr": (self.tn, negatives),
            "fpr": (self.fp, negatives),
            "ppv": (self.tp, self.tp + self.fp),
            "npv": (self.tn, self.tn + self.fn),
            "accuracy": (self.tp + self.tn, self.total),
        }


def _share(counted: int, out_of: int) -> float | None:
    return counted / out_of if out_of else None


def confusion(calls: ArrayLike, labels: ArrayLike) -> Confusion:
    """Count calls against labels, both (scans,) with True or 1 for metastasis.

    Raises DataError as `checked_scores` says.
    """
    called, truth = checked_scores(calls, labels)
    positive = called > 0
    return Confusion(
        tp=int(np.count_nonzero(positive & truth)),
        fn=int(np.count_nonzero(~positive & truth)),
        tn=int(np.count_nonzero(~positive & ~truth)),
        fp=int(np.count_nonzero(positive & ~truth)),
    )


def wilson(successes: int, total: int, level: float = 0.95) -> tuple[float, float]:
    """Give Wilson's score interval of a binomial share (Wilson 1927, JASA 22:209).

    With p = successes / total and z the standard normal quantile of (1 + level) / 2:

        (p + z^2 / 2n +- z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n)

    Raises DataError unless 0 <= successes <= total, total >= 1 and 0 < level < 1.
    """
    if not (0 <= successes <= total and total >= 1 and 0 < level < 1):
        raise DataError(
            f"no interval for {successes} of {total} at level {level}",
            remedy="Give at least one scan, a share of them and a level between 0 and 1.",
        )
    share = successes / total
    square = NormalDist().inv_cdf((1 + level) / 2) ** 2 / total
    middle = share + square / 2
    half = math.sqrt(square * (share * (1 - share) + square / 4))
    # Rounding would leave 1e-18 where the formula gives exactly 0 or 1.
    low = 0.0 if successes == 0 else (middle - half) / (1 + square)
    high = 1.0 if successes == total else (middle + half) / (1 + square)
    return low, high
