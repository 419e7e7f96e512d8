"""One round of training on one site's scans."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import keras
import numpy as np
from numpy.typing import NDArray

from bs_client.data.sampling import Epoch, Flags, Indices, batches
from bs_client.interruption import Interrupted, Progress, unwatched
from bs_client.model.network import Activations, Network
from bs_client.training.draft import Draft, Position
from bs_common.architecture import CLASSES, NamedArrays
from bs_common.errors import StudyStopped
from bs_common.settings import StudySettings

ActivationsOf = Callable[[Indices, Flags], Activations]
EpochOf = Callable[[int], Epoch]
Batches = list[tuple[Indices, Flags]]


@dataclass(frozen=True, slots=True)
class TrainOutcome:
    """What a round of local training gave.

    num_examples : scans of one balanced epoch, twice the site's positives.
    loss, accuracy : means over the scans of the round's last epoch, each before its step.
    steps : optimiser steps taken.
    """

    arrays: NamedArrays
    num_examples: int
    loss: float
    accuracy: float
    steps: int


class Trainer:
    """Trains a network's branch round after round with the study's settings.

    Parameters
    ----------
    network : its branch is trained in place.
    settings : batch size, and epochs or steps of a round.
    optimizer : starts afresh each round; Adam with the study's learning rate where not given.
    """

    def __init__(
        self,
        network: Network,
        settings: StudySettings,
        *,
        optimizer: keras.optimizers.Optimizer | None = None,
    ) -> None:
        self._network = network
        self._settings = settings
        self._optimizer = optimizer or keras.optimizers.Adam(settings.learning_rate)
        self._optimizer.build(network.branch.trainable_variables)
        self._fresh = [keras.ops.convert_to_numpy(v).copy() for v in self._optimizer.variables]
        network.branch.compile(
            optimizer=self._optimizer,
            loss=keras.losses.CategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
            # Compiling takes longer than a head's whole round.
            jit_compile=False,
        )

    def train_round(
        self,
        arrays: NamedArrays,
        *,
        labels: NDArray[np.bool_],
        activations_of: ActivationsOf,
        epoch_of: EpochOf,
        draft: Draft | None = None,
        progress: Progress = unwatched,
    ) -> TrainOutcome:
        """Train the given weights for one round, or go on with it where its draft says.

        Parameters
        ----------
        labels : (N,) of the site's training scans.
        activations_of : gives boundary activations of scans, flipped or not.
        epoch_of : gives the round's epoch 0, 1, 2 ...
        draft : keeps the round's state every now and then, and when it is interrupted.
        progress : told after every step.

        Raises
        ------
        StudyStopped if the loss or a weight stops being a finite number; Interrupted, after the
        state was kept, if `progress` does.
        """
        self._network.set_arrays(arrays)
        self._start_afresh()
        begun = self._resumed(draft)
        targets = np.eye(len(CLASSES), dtype=np.float32)[labels.astype(np.int64)]  # (N, 2)
        steps = 0
        for number, (epoch, total) in enumerate(self._epochs(epoch_of)):  # one at least
            figures = begun.figures if number == begun.epoch else ()
            left = epoch[len(figures) :] if number >= begun.epoch else []
            for indices, flips in left:
                figures += (self._step(activations_of(indices, flips), targets[indices]),)
                told = partial(progress, steps + len(figures), total)
                self._tell(told, Position(number, figures), draft)
            sizes = [indices.size for indices, _ in epoch]
            steps += len(epoch)
        trained = self._network.get_arrays()
        # The loss is taken before its step, so the last step shows in the weights alone.
        _require_finite(*trained.values())
        loss, accuracy = np.average(figures, axis=0, weights=sizes)
        return TrainOutcome(
            arrays=trained,
            num_examples=2 * int(labels.sum()),
            loss=float(loss),
            accuracy=float(accuracy),
            steps=steps,
        )

    def _step(self, activations: Activations, targets: NDArray[np.float32]) -> tuple[float, float]:
        """Take one step and give the batch's mean loss and accuracy before it."""
        # Keras forgets its metrics at every call: these are of this batch alone.
        result = self._network.branch.train_on_batch(activations, targets, return_dict=True)
        _require_finite(np.asarray(result["loss"]))
        return float(result["loss"]), float(result["accuracy"])

    def _resumed(self, draft: Draft | None) -> Position:
        """Put a draft's state in place and say how far it had come."""
        found = draft.find() if draft is not None else None
        if found is None:
            return Position()
        position, values = found
        for variable, value in zip(self._variables(), values, strict=True):
            variable.assign(value)
        return position

    def _tell(self, tell: Callable[[], None], at: Position, draft: Draft | None) -> None:
        """Tell a step; keep the state where it is time, or the last chance."""
        try:
            tell()
        except Interrupted:
            if draft is not None:
                self._keep(at, draft)
            raise
        if draft is not None and draft.is_due:
            self._keep(at, draft)

    def _keep(self, at: Position, draft: Draft) -> None:
        draft.keep(at, [keras.ops.convert_to_numpy(v) for v in self._variables()])

    def _variables(self) -> list[keras.Variable]:
        return [*self._network.branch.trainable_variables, *self._optimizer.variables]

    def _start_afresh(self) -> None:
        """Forget the momenta and the step count of earlier rounds."""
        for variable, value in zip(self._optimizer.variables, self._fresh, strict=True):
            variable.assign(value)

    def _epochs(self, epoch_of: EpochOf) -> Iterator[tuple[Batches, int]]:
        """Give the round's epochs in batches, as many or as far as its steps reach, and its steps.

        Epochs of a site are all of one size, so the first tells how many steps the round has.
        """
        size, left = self._settings.batch_size, self._settings.local_steps
        if left is None:
            for number in range(self._settings.local_epochs):
                epoch = list(batches(epoch_of(number), size))
                yield epoch, self._settings.local_epochs * len(epoch)
            return
        total = left
        for number in itertools.count():
            epoch = list(batches(epoch_of(number), size))[:left]
            yield epoch, total
            left -= len(epoch)
            if left == 0:
                return


def _require_finite(*values: NDArray[np.floating]) -> None:
    if not all(np.isfinite(value).all() for value in values):
        raise StudyStopped(
            "The training loss or a weight is not a finite number any more.",
            remedy="Lower learning_rate in the study file.",
        )
