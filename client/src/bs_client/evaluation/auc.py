"""The ROC curve of a site's scores and the uncertainty of the area under it."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata
from sklearn.metrics import roc_auc_score, roc_curve

from bs_common.metrics import checked_scores, require_classes
from bs_common.randomness import generator

Values = NDArray[np.float64]

# Resamples are worked off in blocks of about this many counts (32 MB), whatever the cohort's size.
BLOCK_CELLS = 4_000_000


@dataclass(frozen=True, slots=True)
class RocCurve:
    """An exact ROC curve. It tells the order of the labels and so stays at the site.

    fpr, tpr : (points,) rising from 0 to 1.
    auc : area under it, ties counted half.
    """

    fpr: Values
    tpr: Values
    auc: float


@dataclass(frozen=True, slots=True)
class AucEstimate:
    """An AUC with the standard error of DeLong, DeLong and Clarke-Pearson (1988)."""

    auc: float
    standard_error: float

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Give auc +- z SE, cut to [0, 1], as R's pROC does, so that it can be recomputed there.

        Where every positive scan scores above every negative one the standard error is zero and
        the interval has no width: it then says nothing about new scans.
        """
        half = NormalDist().inv_cdf((1 + level) / 2) * self.standard_error
        return max(0.0, self.auc - half), min(1.0, self.auc + half)


def trace_roc(margins: ArrayLike, labels: ArrayLike) -> RocCurve:
    """Trace the ROC curve of the margins (scikit-learn).

    Parameters
    ----------
    margins : (scans,) logit margins, finite.
    labels : (scans,) True or 1 for metastasis.

    Raises
    ------
    ClassTooSmall if a class has no scan, DataError for margins that are not finite.
    """
    scores, truth = checked_scores(margins, labels)
    require_classes(int(truth.sum()), int((~truth).sum()))
    fpr, tpr, _ = roc_curve(truth, scores)
    return RocCurve(fpr, tpr, float(roc_auc_score(truth, scores)))


@dataclass(frozen=True, slots=True)
class Components:
    """DeLong's structural components of an AUC.

    of_positives : (m,) share of the scans without metastasis that each scan with it outranks.
    of_negatives : (n,) share of the scans with metastasis that outrank each scan without.
    """

    of_positives: Values
    of_negatives: Values

    def estimate(self) -> AucEstimate:
        """Give mean(V10) and SE^2 = var(V10) / m + var(V01) / n."""
        m, n = self.of_positives.size, self.of_negatives.size
        variance = self.of_positives.var(ddof=1) / m + self.of_negatives.var(ddof=1) / n
        return AucEstimate(float(self.of_positives.mean()), float(np.sqrt(variance)))


def delong(margins: ArrayLike, labels: ArrayLike) -> AucEstimate:
    """Estimate the AUC and its standard error by DeLong's structural components.

    Parameters
    ----------
    margins : (scans,) logit margins, finite; ties count half.
    labels : (scans,) True or 1 for metastasis.

    Raises
    ------
    ClassTooSmall if a class has fewer than two scans, DataError for margins that are not finite.
    """
    return delong_components(margins, labels).estimate()


def delong_components(margins: ArrayLike, labels: ArrayLike) -> Components:
    """Find the structural components from mid-ranks, in O(n log n).

    Sun and Xu 2014, IEEE Signal Process. Lett. 21:1389, eq. 5 and 6. With T(z) a score's mid-rank
    among all scans, T(x) among its own class, m scans with and n without metastasis:

        V10_i = (T(z_i) - T(x_i)) / n        V01_j = 1 - (T(z_j) - T(y_j)) / m

    Parameters and errors are those of `delong`.
    """
    scores, truth = checked_scores(margins, labels)
    positives, negatives = scores[truth], scores[~truth]
    m, n = positives.size, negatives.size
    require_classes(m, n, at_least=2)
    ranks = rankdata(np.concatenate([positives, negatives]))
    return Components(
        of_positives=(ranks[:m] - rankdata(positives)) / n,
        of_negatives=1 - (ranks[m:] - rankdata(negatives)) / m,
    )


def bootstrap_aucs(
    margins: ArrayLike, labels: ArrayLike, *, seed: int, resamples: int = 2000
) -> Values:
    """Draw scans with replacement within each class, and give the AUC of every draw.

    Parameters
    ----------
    margins : (scans,) logit margins, finite.
    labels : (scans,) True or 1 for metastasis.
    seed : the study seed; the same scans in the same order give the same draws.
    resamples : draws; 2000 move the interval's ends by about 0.001, the paper's 100 by 0.003.

    Returns
    -------
    (resamples,) float64.

    Raises
    ------
    ClassTooSmall if a class has no scan, DataError for margins that are not finite.
    """
    scores, truth = checked_scores(margins, labels)
    require_classes(int(truth.sum()), int((~truth).sum()))
    values, places = np.unique(scores, return_inverse=True)
    # One stream per class, so that the block size changes no draw.
    positive_draws = generator(seed, "bootstrap", "metastasis")
    negative_draws = generator(seed, "bootstrap", "no_metastasis")
    block = max(1, BLOCK_CELLS // scores.size)
    aucs = []
    for start in range(0, resamples, block):
        count = min(block, resamples - start)
        positives = _resample(positive_draws, places[truth], count, values.size)
        negatives = _resample(negative_draws, places[~truth], count, values.size)
        aucs.append(_aucs_of_counts(positives, negatives))
    return np.concatenate(aucs)


def _resample(
    draws: np.random.Generator, places: NDArray[np.intp], count: int, values: int
) -> NDArray[np.int64]:
    """Draw `count` resamples; give how often each distinct score occurs, (count, values)."""
    drawn = places[draws.integers(0, places.size, (count, places.size))]
    offsets = values * np.arange(count)[:, np.newaxis]
    occurrences = np.bincount((drawn + offsets).ravel(), minlength=count * values)
    return occurrences.reshape(count, values).astype(np.int64)


def _aucs_of_counts(positives: NDArray[np.int64], negatives: NDArray[np.int64]) -> Values:
    # Twice the negatives below a score plus those equal to it: whole numbers, so no rounding.
    twice_below = 2 * np.cumsum(negatives, axis=1) - negatives
    pairs = positives.sum(axis=1) * negatives.sum(axis=1)
    wins: Values = (positives * twice_below).sum(axis=1) / (2 * pairs)
    return wins


def percentile_interval(aucs: Values, level: float = 0.95) -> tuple[float, float]:
    """Give the percentile interval of bootstrap values, such as their 2.5 % and 97.5 % points."""
    low, high = np.quantile(aucs, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
