"""A model from one site's scans alone, to compare the study's with: same start, rounds, settings.

Of the finished rounds the best is kept, as the study keeps its best; all of it is on disk after
each round, so that a killed site goes on where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bs_client.evaluation.auc import trace_roc
from bs_client.model.network import Margins
from bs_client.training.draft import Draft, Position
from bs_client.training.loss import cross_entropy
from bs_common.architecture import NamedArrays
from bs_common.metrics import ClassTooSmall

TrainRound = Callable[[int, NamedArrays], NamedArrays]  # round, its weights -> trained weights
Score = Callable[[NamedArrays], Margins]
Figures = tuple[float, float]  # AUC and loss on the validation scans


@dataclass(frozen=True, slots=True)
class LocalModel:
    """The best round of a training on one site's scans.

    round : from 1.
    """

    arrays: NamedArrays
    round: int


def train_alone(
    start: NamedArrays,
    labels: NDArray[np.bool_],
    *,
    rounds: int,
    train_round: TrainRound,
    score: Score,
    draft: Draft,
) -> LocalModel:
    """Train round after round from the site's own weights and give the best.

    Best is the highest AUC on the validation scans, then the lowest loss, then the earliest round;
    where a class has no validation scan, the loss decides alone.

    Parameters
    ----------
    start : the weights that the study starts from.
    labels : (scans,) of the validation scans.
    rounds : as many as the study has.
    train_round : trains the weights for one round, numbered from 1.
    score : gives the margins of the validation scans, (scans,).
    draft : keeps last and best weights after every round, and finds them again.
    """
    names = list(start)
    last, best = start, start
    done: tuple[Figures, ...] = ()
    found = draft.find()
    if found is not None:
        position, kept = found
        done = position.figures
        last = dict(zip(names, kept[: len(names)], strict=True))
        best = dict(zip(names, kept[len(names) :], strict=True))
    for number in range(len(done) + 1, rounds + 1):
        last = train_round(number, last)
        done = (*done, _figures(score(last), labels))
        best = last if _best_of(done) == number else best
        draft.keep(Position(figures=done), [*last.values(), *best.values()])
    return LocalModel(best, _best_of(done))


def _figures(margins: Margins, labels: NDArray[np.bool_]) -> Figures:
    try:
        auc = trace_roc(margins, labels).auc
    except ClassTooSmall:
        auc = 0.0  # in every round alike
    return auc, cross_entropy(margins, labels)


def _best_of(figures: Sequence[Figures]) -> int:
    """Give the number of the best round."""
    order = [(-auc, loss, number) for number, (auc, loss) in enumerate(figures, start=1)]
    return min(order)[2]
