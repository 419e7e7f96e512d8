"""The figures of a 2 x 2 table, each with its 95 % interval.

A share of scans that were counted has Wilson's interval. F1 and balanced accuracy are no such
share, so their interval is a bootstrap: scans drawn with replacement within each class.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bs_common.metrics import Confusion, wilson
from bs_common.randomness import generator

RESAMPLES = 2000  # move an interval's ends by about 0.001; the paper's 100 by 0.003

_Draws = NDArray[np.float64]


class Measure(NamedTuple):
    """A figure and its 95 % interval; all None where nobody was there to count."""

    value: float | None
    low: float | None
    high: float | None


UNDEFINED = Measure(None, None, None)


def measures(table: Confusion, *, seed: int, resamples: int = RESAMPLES) -> dict[str, Measure]:
    """Give every figure of a 2 x 2 table by name.

    Parameters
    ----------
    table : scans by call and label.
    seed : the study seed, for the bootstrap; the same table and seed give the same intervals.
    resamples : bootstrap draws; the paper's profile takes 100.

    Returns
    -------
    tpr, fnr, tnr, fpr, ppv, npv and accuracy with Wilson's interval; f1 and balanced_accuracy with
    the bootstrap's percentile interval.
    """
    rates = {name: _wilson(*parts) for name, parts in table.fractions().items()}
    drawn = _draw(table, seed=seed, resamples=resamples)
    return rates | {
        "f1": _bootstrap(table.f1, _f1(drawn)),
        "balanced_accuracy": _bootstrap(table.balanced_accuracy, _balanced_accuracy(drawn, table)),
    }


def _wilson(counted: int, out_of: int) -> Measure:
    if out_of == 0:
        return UNDEFINED
    return Measure(counted / out_of, *wilson(counted, out_of))


def _draw(table: Confusion, *, seed: int, resamples: int) -> tuple[_Draws, _Draws, _Draws]:
    """Draw tables: of P scans drawn with replacement, tp / P of which are called, B(P, tp / P) are.

    Returns true positives, false negatives and false positives, (resamples,) each.
    """
    draws = generator(seed, "bootstrap", "table")
    positives, negatives = table.tp + table.fn, table.tn + table.fp
    tp = draws.binomial(positives, table.tp / positives if positives else 0, resamples)
    fp = draws.binomial(negatives, table.fp / negatives if negatives else 0, resamples)
    return tp.astype(float), (positives - tp).astype(float), fp.astype(float)


def _f1(drawn: tuple[_Draws, _Draws, _Draws]) -> _Draws:
    tp, fn, fp = drawn
    whole = 2 * tp + fp + fn
    # Nothing called and nothing to call is a resample that says nothing.
    return 2 * tp[whole > 0] / whole[whole > 0]


def _balanced_accuracy(drawn: tuple[_Draws, _Draws, _Draws], table: Confusion) -> _Draws:
    tp, fn, fp = drawn
    negatives = table.tn + table.fp
    if table.balanced_accuracy is None:
        return np.empty(0)
    return (tp / (tp + fn) + (negatives - fp) / negatives) / 2


def _bootstrap(value: float | None, drawn: _Draws) -> Measure:
    if value is None or drawn.size == 0:
        return UNDEFINED
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Measure(value, float(low), float(high))
