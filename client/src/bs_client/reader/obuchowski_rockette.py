"""Readers and cases both random: the analysis of Obuchowski and Rockette with Hillis' degrees.

It asks whether a difference would be found again with other readers and other cases. The spread
of readers answers for the readers alone, the spread of bootstrap resamples for the cases alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata, t

from bs_common.errors import DataError
from bs_common.metrics import require_classes

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Figures:
    """One figure of merit of several raters on the same cases.

    values : (raters,) such as areas under the ROC curve.
    covariance : (raters, raters) of their estimation, over samples of cases.
    """

    values: Values
    covariance: Values

    def minus(self, other: Figures, cross: Values) -> Figures:
        """Subtract rater by rater; `cross` is the covariance of these with those."""
        return Figures(
            self.values - other.values, self.covariance + other.covariance - cross - cross.T
        )


@dataclass(frozen=True, slots=True)
class ReaderTest:
    """A mean over readers and whether it differs from zero.

    interval : 95 %, from the t distribution with `df` degrees of freedom.
    """

    estimate: float
    standard_error: float
    df: float
    interval: tuple[float, float]
    p_value: float

    @property
    def t_value(self) -> float:
        """Estimate in standard errors."""
        return self.estimate / self.standard_error if self.standard_error else 0.0


def mean_over_readers(figures: Figures, *, level: float = 0.95) -> ReaderTest:
    """Estimate the mean of a figure, or of a difference, over readers and cases.

    With theta_j the figures of r readers, MS their variance and Cov2 the mean covariance of two
    readers (Hillis 2007, Stat Med 26:596, for one test; for theta_j the differences of two tests
    it is the test of Obuchowski and Rockette 1995 with F = t^2, in the form of Hillis 2005):

        SE^2 = (MS + r max(Cov2, 0)) / r      df = (r - 1) (r SE^2 / MS)^2

    Parameters
    ----------
    figures : of at least two readers.

    Raises
    ------
    DataError if there are fewer than two readers. Where all readers agree in everything the
    standard error is zero and the interval has no width.
    """
    values, covariance = figures.values, figures.covariance
    readers = values.size
    if readers < 2:
        raise DataError(
            f"{readers} reader, expected at least 2: one does not tell how readers differ",
            remedy="Let another reader finish, or report this reader alone.",
        )
    mean_square = float(values.var(ddof=1))
    off_diagonal = (covariance.sum() - np.trace(covariance)) / (readers * (readers - 1))
    total = mean_square + readers * max(float(off_diagonal), 0.0)
    standard_error = float(np.sqrt(total / readers))
    # Readers who do not differ leave only the cases' variance, which is known without estimating.
    df = (readers - 1) * (total / mean_square) ** 2 if mean_square > 0 else np.inf
    estimate = float(values.mean())
    half = float(t.ppf((1 + level) / 2, df)) * standard_error
    return ReaderTest(
        estimate,
        standard_error,
        df,
        (estimate - half, estimate + half),
        _p_value(estimate, standard_error, df),
    )


def _p_value(estimate: float, standard_error: float, df: float) -> float:
    if estimate == 0:
        return 1.0
    return 2 * float(t.sf(abs(estimate) / standard_error, df)) if standard_error else 0.0


def auc_figures(scores: ArrayLike, labels: ArrayLike) -> Figures:
    """Give every rater's AUC and their covariance after DeLong, DeLong and Clarke-Pearson (1988).

    The structural components are found from mid-ranks, as `evaluation.auc.delong` says; the
    covariance of two raters is cov(V10, V10') / m + cov(V01, V01') / n.

    Parameters
    ----------
    scores : (raters, cases) higher for metastasis; any scale of each rater's own. Ties count half.
    labels : (cases,) True or 1 for metastasis.

    Raises ClassTooSmall unless both classes have two cases.
    """
    positives, negatives = _components(np.asarray(scores, np.float64), np.asarray(labels, bool))
    covariance = _covariance_of_means(positives) + _covariance_of_means(negatives)
    return Figures(positives.mean(axis=1), covariance)


def auc_figures_jackknife(scores: ArrayLike, labels: ArrayLike) -> Figures:
    """Give the AUCs with the covariance that the DBM method rests on: cases left out in turn.

    With theta_(-i) the AUC without case i of N: (N - 1) / N sum of the products of deviations of
    theta_(-i) from their mean. Left out in closed form: the sum of wins without case i over the
    pairs that remain.
    """
    ratings, truth = np.asarray(scores, np.float64), np.asarray(labels, bool)
    of_positives, of_negatives = _components(ratings, truth)
    m, n = of_positives.shape[1], of_negatives.shape[1]
    wins = of_positives.sum(axis=1, keepdims=True) * n
    left_out = np.concatenate(
        [
            (wins - of_positives * n) / ((m - 1) * n),  # (raters, m)
            (wins - of_negatives * m) / (m * (n - 1)),  # (raters, n)
        ],
        axis=1,
    )
    deviations = left_out - left_out.mean(axis=1, keepdims=True)
    cases = m + n
    covariance = (cases - 1) / cases * deviations @ deviations.T
    return Figures(of_positives.mean(axis=1), covariance)


def share_figures(hits: ArrayLike) -> Figures:
    """Give each rater's share of hits and their covariance, such as sensitivities.

    hits : (raters, cases) True where the rater was right; only the cases of one class.
    """
    right = np.asarray(hits, np.float64)
    require_classes(right.shape[1], right.shape[1], at_least=2)
    return Figures(right.mean(axis=1), _covariance_of_means(right))


def against_one(figures: Figures) -> Figures:
    """Subtract the first rater, such as the model, from each of the others."""
    others = slice(1, None)
    values = figures.values[others] - figures.values[0]
    covariance = figures.covariance
    with_first = covariance[others, :1]  # (readers, 1)
    return Figures(
        values, covariance[others, others] - with_first - with_first.T + covariance[0, 0]
    )


def paired_difference(figures: Figures) -> Figures:
    """Subtract the first half of the raters from the second: the same readers in another arm."""
    half = figures.values.size // 2
    first, second = slice(0, half), slice(half, None)
    covariance = figures.covariance
    return Figures(figures.values[second], covariance[second, second]).minus(
        Figures(figures.values[first], covariance[first, first]), covariance[second, first]
    )


def _components(scores: Values, truth: NDArray[np.bool_]) -> tuple[Values, Values]:
    """Give DeLong's V10 (raters, m) and V01 (raters, n)."""
    positives, negatives = scores[:, truth], scores[:, ~truth]
    m, n = positives.shape[1], negatives.shape[1]
    require_classes(m, n, at_least=2)
    ranks = rankdata(np.concatenate([positives, negatives], axis=1), axis=1)
    of_positives = (ranks[:, :m] - rankdata(positives, axis=1)) / n
    of_negatives = 1 - (ranks[:, m:] - rankdata(negatives, axis=1)) / m
    return of_positives, of_negatives


def _covariance_of_means(components: Values) -> Values:
    covariance: Values = np.atleast_2d(np.cov(components)) / components.shape[1]
    return covariance
