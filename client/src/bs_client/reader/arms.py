"""The answers of one arm as arrays: every reader's score, call and time of every case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bs_client.reader.readings import AIDED, FinishedAnswer
from bs_client.reader.tables import analysed
from bs_common.errors import DataError


@dataclass(frozen=True, slots=True, eq=False)
class Arm:
    """What readers said in one arm, fully crossed.

    cases : codes, sorted; the columns of every array.
    labels : (cases,) True for metastasis.
    scores, calls, seconds : (readers, cases); seconds are the active time.
    """

    name: str
    readers: tuple[str, ...]
    cases: tuple[str, ...]
    labels: NDArray[np.bool_]
    scores: NDArray[np.float64]
    calls: NDArray[np.bool_]
    seconds: NDArray[np.float64]


def split_arms(answers: Sequence[FinishedAnswer]) -> tuple[Arm, ...]:
    """Give the arms of a study, the aided one last.

    Raises DataError if a reader has not answered every case of an arm once.
    """
    counted = analysed(answers)
    names = sorted({one.arm for one in counted}, key=lambda name: (name == AIDED, name))
    return tuple(_arm(name, [one for one in counted if one.arm == name]) for name in names)


def _arm(name: str, answers: Sequence[FinishedAnswer]) -> Arm:
    readers = tuple(dict.fromkeys(one.reader for one in answers))
    cases = tuple(sorted({one.code for one in answers}))
    places = {(one.reader, one.code): one for one in answers}
    if not len(places) == len(answers) == len(readers) * len(cases):
        raise DataError(
            f"{len(answers)} answers of {len(readers)} readers to {len(cases)} cases, expected "
            "one of each reader to each case",
            remedy="Analyse the readers who finished.",
        )
    table = [[places[reader, code] for code in cases] for reader in readers]
    return Arm(
        name=name,
        readers=readers,
        cases=cases,
        labels=np.array([one.label for one in table[0]], bool),
        scores=np.array([[one.score for one in row] for row in table], np.float64),
        calls=np.array([[one.call for one in row] for row in table], bool),
        seconds=np.array([[one.times.active_s for one in row] for row in table], np.float64),
    )
