"""A model from one site's scans alone, to compare the study's with: same start, rounds, settings.

Of the finished rounds the best is kept, as the study keeps its best; all of it is on disk after
each round, so that a killed site goes on where it was.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bs_client.training.draft import Draft, Position
from bs_common.architecture import NamedArrays
from bs_common.best_round import best_of

TrainRound = Callable[[int, NamedArrays], NamedArrays]  # round, its weights -> trained weights
Figures = tuple[float | None, float]  # AUC to choose by, None where there is none, and loss
Validate = Callable[[NamedArrays], Figures]

_NO_AUC = -1.0  # on disk, where a figure is a number


@dataclass(frozen=True, slots=True)
class LocalModel:
    """The best round of a training on one site's scans.

    round : from 1.
    """

    arrays: NamedArrays
    round: int


def train_alone(
    start: NamedArrays,
    *,
    rounds: int,
    train_round: TrainRound,
    validate: Validate,
    draft: Draft,
) -> LocalModel:
    """Train round after round from the site's own weights and give the best.

    Best is what a study of this site alone would choose: the rule of `bs_common.best_round`.

    Parameters
    ----------
    start : the weights that the study starts from.
    rounds : as many as the study has.
    train_round : trains the weights for one round, numbered from 1.
    validate : judges weights on the site's validation scans as in the study's rounds.
    draft : keeps last and best weights after every round, and finds them again.
    """
    names = list(start)
    last, best = start, start
    done: tuple[tuple[float, float], ...] = ()
    found = draft.find()
    if found is not None:
        position, kept = found
        done = position.figures
        last = dict(zip(names, kept[: len(names)], strict=True))
        best = dict(zip(names, kept[len(names) :], strict=True))
    for number in range(len(done) + 1, rounds + 1):
        last = train_round(number, last)
        auc, loss = validate(last)
        done = (*done, (_NO_AUC if auc is None else auc, loss))
        best = last if _best_of(done) == number else best
        draft.keep(Position(figures=done), [*last.values(), *best.values()])
    return LocalModel(best, _best_of(done))


def _best_of(done: tuple[tuple[float, float], ...]) -> int:
    """Give the number of the best round."""
    aucs = [None if auc == _NO_AUC else auc for auc, _ in done]
    return 1 + best_of(aucs, [loss for _, loss in done])
