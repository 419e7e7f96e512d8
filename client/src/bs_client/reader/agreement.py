"""How far readers agree with each other beyond chance, whatever the truth is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bs_common.randomness import generator

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Agreement:
    """A coefficient: 1 for full agreement, 0 for what chance gives.

    interval : 95 % percentile interval over resampled cases.
    """

    value: float
    interval: tuple[float, float]


def fleiss_kappa(counts: ArrayLike) -> float:
    """Give Fleiss' kappa (Fleiss 1971, Psychol Bull 76:378).

    counts : (cases, categories) how many readers chose each category; the same number of readers
        for each case. NaN where everybody always chose one category: chance explains it all.
    """
    chosen = np.asarray(counts, np.float64)
    cases, readers = chosen.shape[0], chosen[0].sum()
    of_case = (np.square(chosen).sum(axis=1) - readers) / (readers * (readers - 1))
    by_chance = np.square(chosen.sum(axis=0) / (cases * readers)).sum()
    return float((of_case.mean() - by_chance) / (1 - by_chance)) if by_chance < 1 else np.nan


def krippendorff_alpha(values: ArrayLike) -> float:
    """Give Krippendorff's alpha with the interval metric; for calls 0 and 1 it is the nominal one.

    With every reader's value of every case there, 1 - D_observed / D_expected is one minus the
    mean variance within cases over the variance of all values (Krippendorff 2011, Computing
    Krippendorff's alpha-reliability).

    values : (readers, cases), none missing. NaN where all values are equal.
    """
    ratings = np.asarray(values, np.float64)
    expected = ratings.var(ddof=1)
    return float(1 - ratings.var(axis=0, ddof=1).mean() / expected) if expected > 0 else np.nan


def agreement_of_calls(calls: ArrayLike, *, seed: int, resamples: int = 2000) -> Agreement:
    """Give Fleiss' kappa of calls, (readers, cases) True for metastasis."""
    positive = np.asarray(calls, bool).sum(axis=0)
    counts = np.stack([positive, len(np.asarray(calls)) - positive], axis=1)  # (cases, 2)
    drawn = _draws(seed, counts.shape[0], resamples)
    return Agreement(fleiss_kappa(counts), _interval([fleiss_kappa(counts[one]) for one in drawn]))


def agreement_of_scores(scores: ArrayLike, *, seed: int, resamples: int = 2000) -> Agreement:
    """Give Krippendorff's alpha of scores, (readers, cases)."""
    ratings = np.asarray(scores, np.float64)
    drawn = _draws(seed, ratings.shape[1], resamples)
    resampled = [krippendorff_alpha(ratings[:, one]) for one in drawn]
    return Agreement(krippendorff_alpha(ratings), _interval(resampled))


def _draws(seed: int, cases: int, resamples: int) -> NDArray[np.int64]:
    return generator(seed, "reader-study", "agreement").integers(0, cases, (resamples, cases))


def _interval(resampled: list[float]) -> tuple[float, float]:
    known = [value for value in resampled if np.isfinite(value)]
    low, high = np.quantile(known, (0.025, 0.975)) if known else (np.nan, np.nan)
    return float(low), float(high)
