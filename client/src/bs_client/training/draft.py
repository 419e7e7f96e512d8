"""Training that is not finished, on disk, so that a killed site goes on inside it."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from bs_common.errors import StorageFailed
from bs_common.files import write_atomic

_log = logging.getLogger(__name__)

Variables = Sequence[NDArray[Any]]  # of network and optimiser, in Keras' order

_FORMAT = 1
_HEAD = "draft"


@dataclass(frozen=True, slots=True)
class Position:
    """How far a round has come, or a training of several rounds.

    epoch : number of epochs before the one in hand.
    figures : mean loss and accuracy of each step taken in that one; of several rounds, two figures
        of each finished one.
    """

    epoch: int = 0
    figures: tuple[tuple[float, float], ...] = ()


class _Head(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    format: int
    question: str
    epoch: int
    figures: list[tuple[float, float]]
    arrays_sha256: str


@dataclass
class Draft:
    """The state of a training, kept every now and then.

    When it is kept changes nothing of the result: a round that goes on from here ends with the
    bytes of one that was never disturbed.

    Parameters
    ----------
    path : the one file; the next round's replaces it.
    question : names the training, its starting weights and the data; a draft of any other is
        ignored.
    every_s : seconds of training between two writes; 0 keeps every step.
    """

    path: Path
    question: str
    every_s: float
    clock: Callable[[], float] = time.monotonic
    _kept_at: float = field(init=False)

    def __post_init__(self) -> None:
        self._kept_at = self.clock()

    def find(self) -> tuple[Position, list[NDArray[Any]]] | None:
        """Give position and variables of this training's draft, or None where there is none."""
        if not self.path.exists():
            return None
        try:
            with safe_open(self.path, framework="numpy") as file:
                head = _Head.model_validate_json(file.metadata()[_HEAD])
                variables = [file.get_tensor(_name(n)) for n in range(len(file.keys()))]
        except (OSError, SafetensorError, ValidationError, KeyError) as error:
            _log.warning("the draft of a training is damaged (%s)", type(error).__name__)
            return None
        if (head.format, head.question) != (_FORMAT, self.question):
            return None
        if head.arrays_sha256 != _digest(variables):
            _log.warning("the draft of a training is damaged: it starts again")
            return None
        _log.info("training goes on in epoch %d after %d pieces", head.epoch, len(head.figures))
        return Position(head.epoch, tuple(head.figures)), variables

    @property
    def is_due(self) -> bool:
        """Whether so much was trained since the last time that it should be kept."""
        return self.clock() - self._kept_at >= self.every_s

    def keep(self, position: Position, variables: Variables) -> None:
        """Write the state; it is on disk when this returns.

        A disk that refuses it does not end the training: what would be lost if it were killed now
        is all that is lost.
        """
        head = _Head(
            format=_FORMAT,
            question=self.question,
            epoch=position.epoch,
            figures=list(position.figures),
            arrays_sha256=_digest(variables),
        )
        arrays = {_name(n): np.asarray(v, order="C") for n, v in enumerate(variables)}
        content = save(arrays, {_HEAD: head.model_dump_json()})
        self._kept_at = self.clock()
        try:
            write_atomic(self.path, content, mode=0o600)
        except StorageFailed as error:
            _log.warning("the draft of a training is not kept: %s %s", error, error.remedy)


def question_of(*parts: str | int) -> str:
    """Name a training by all that decides its result."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _name(number: int) -> str:
    return f"{number:04d}"


def _digest(variables: Variables) -> str:
    total = hashlib.sha256()
    for array in variables:
        total.update(f"{array.dtype.str}{array.shape}".encode())
        total.update(array.tobytes())
    return total.hexdigest()
