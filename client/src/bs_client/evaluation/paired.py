"""Comparing two models on the same scans: DeLong's test of two correlated areas."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from bs_client.evaluation.auc import AucEstimate, delong_components
from bs_common.errors import DataError
from bs_common.metrics import checked_scores


@dataclass(frozen=True, slots=True)
class PairedAucs:
    """Two areas on the same scans, and their difference.

    difference : second minus first.
    standard_error : of the difference, DeLong, DeLong and Clarke-Pearson (1988).
    """

    first: AucEstimate
    second: AucEstimate
    difference: float
    standard_error: float

    @property
    def z(self) -> float | None:
        """Give difference / SE; None where two models order every pair alike."""
        if self.standard_error == 0:
            return None
        return self.difference / self.standard_error

    @property
    def p_value(self) -> float:
        """Give the two-sided p of equal areas; 1 where the models order every pair alike.

        Where the difference has no spread and yet is not zero (complete separation by one model)
        the normal law has nothing to say, and p is 0 as its limit.
        """
        if self.z is None:
            return 1.0 if self.difference == 0 else 0.0
        return 2 * NormalDist().cdf(-abs(self.z))

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Give difference +- z SE, cut to [-1, 1]."""
        half = NormalDist().inv_cdf((1 + level) / 2) * self.standard_error
        return max(-1.0, self.difference - half), min(1.0, self.difference + half)


def compare_aucs(first: ArrayLike, second: ArrayLike, labels: ArrayLike) -> PairedAucs:
    """Compare the areas of two models' margins on the same scans.

    With V10 and V01 the structural components of each model (`delong_components`), m scans with and
    n without metastasis (DeLong 1988, eq. 5 and 6):

        SE^2 = var(V10_2 - V10_1) / m + var(V01_2 - V01_1) / n

    Parameters
    ----------
    first, second : (scans,) margins of the two models, finite, in one order.
    labels : (scans,) True or 1 for metastasis.

    Raises
    ------
    ClassTooSmall if a class has fewer than two scans, DataError for margins that are not finite or
    not of one length.
    """
    one, truth = checked_scores(first, labels)
    other, _ = checked_scores(second, labels)
    if one.shape != other.shape:
        raise DataError(
            f"{one.size} and {other.size} margins, expected the same scans twice",
            remedy="Score the same scans with both models.",
        )
    parts = [delong_components(margins, truth) for margins in (one, other)]
    estimates = [part.estimate() for part in parts]
    of_positives = parts[1].of_positives - parts[0].of_positives
    of_negatives = parts[1].of_negatives - parts[0].of_negatives
    variance = (
        of_positives.var(ddof=1) / of_positives.size + of_negatives.var(ddof=1) / of_negatives.size
    )
    return PairedAucs(
        first=estimates[0],
        second=estimates[1],
        difference=estimates[1].auc - estimates[0].auc,
        standard_error=float(np.sqrt(variance)),
    )
