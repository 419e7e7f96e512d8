"""Whether a probability means what it says: slope, intercept, Brier score, reliability curve."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit
from sklearn.metrics import brier_score_loss

from bs_common.metrics import checked_scores, require_classes

Values = NDArray[np.float64]

_STEPS = 50  # Newton needs about six; more only where no maximum exists
_TOLERANCE = 1e-10
_FLAT = 1e-9  # information below this: every probability is 0 or 1, as where classes are separated


class Coefficient(NamedTuple):
    """A coefficient with its 95 % Wald interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """How well the probabilities of a model fit the labels.

    slope : 1 where they fit; below 1 they are too extreme, above 1 too timid (Cox 1958). None
        where the margins separate the classes or are all equal: no finite slope fits then.
    intercept : calibration in the large, 0 where they fit; below 0 they are too high on the whole.
    brier : mean squared distance of probability and label, 0 best.
    """

    slope: Coefficient | None
    intercept: Coefficient
    brier: float


class ReliabilityPoint(NamedTuple):
    """Scans of neighbouring probability: mean prediction, observed share, and how many they are."""

    predicted: float
    observed: float
    scans: int


def calibrate(margins: ArrayLike, labels: ArrayLike) -> Calibration:
    """Fit the labels to the margins by logistic regression.

    The slope is b of logit P = a + b m; the intercept is a of logit P = a + m, the margin as offset
    (Van Calster et al. 2019, BMC Med 17:230). Both are maximum likelihood by Newton's method.

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
    ones = np.ones((scores.size, 1))
    line = None if _is_separated(scores, truth) else _fit(np.c_[ones, scores], truth)
    large = _fit(ones, truth, offset=scores)
    return Calibration(
        slope=None if line is None else line[1],
        intercept=large[0],
        brier=float(brier_score_loss(truth, expit(scores))),
    )


def _is_separated(scores: Values, truth: NDArray[np.bool_]) -> bool:
    """Tell whether a cut parts the classes, but for ties at it: the slope is then infinite."""
    positives, negatives = scores[truth], scores[~truth]
    return bool(positives.min() >= negatives.max() or positives.max() <= negatives.min())


def _fit(
    design: Values, truth: NDArray[np.bool_], offset: Values | float = 0.0
) -> list[Coefficient]:
    """Maximise the likelihood of logit P = design @ b + offset, (scans, coefficients)."""
    coefficients = np.zeros(design.shape[1])
    for _ in range(_STEPS):
        gradient, information = _derivatives(design, truth, coefficients, offset)
        step = np.linalg.solve(information + _FLAT * np.eye(len(information)), gradient)
        # A margin far from its label would throw Newton's first step out of the curve's reach.
        coefficients = coefficients + step * min(1.0, 5.0 / max(float(np.abs(step).max()), 1e-300))
        if np.abs(step).max() < _TOLERANCE:
            break
    _, information = _derivatives(design, truth, coefficients, offset)
    errors = np.sqrt(np.diag(np.linalg.pinv(information)))
    half = NormalDist().inv_cdf(0.975) * errors
    return [
        Coefficient(float(b), float(b - h), float(b + h))
        for b, h in zip(coefficients, half, strict=True)
    ]


def _derivatives(
    design: Values, truth: NDArray[np.bool_], coefficients: Values, offset: Values | float
) -> tuple[Values, Values]:
    probabilities = expit(design @ coefficients + offset)
    weights = probabilities * (1 - probabilities)
    return design.T @ (truth - probabilities), design.T @ (design * weights[:, np.newaxis])


def trace_reliability(
    margins: ArrayLike, labels: ArrayLike, *, groups: int = 10
) -> list[ReliabilityPoint]:
    """Compare prediction and outcome in groups of (nearly) equal size, by rising probability.

    It rests on few scans a group and so stays at the site.

    Parameters
    ----------
    margins, labels : as for `calibrate`.
    groups : how many; fewer where there are fewer scans.
    """
    scores, truth = checked_scores(margins, labels)
    order = np.argsort(scores, kind="stable")
    probabilities, outcomes = expit(scores[order]), truth[order]
    parts = np.array_split(np.arange(scores.size), max(1, min(groups, scores.size)))
    return [
        ReliabilityPoint(float(probabilities[i].mean()), float(outcomes[i].mean()), i.size)
        for i in parts
        if i.size
    ]
