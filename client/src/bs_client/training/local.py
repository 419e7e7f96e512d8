"""One round of training on one site's scans."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import keras
import numpy as np
from numpy.typing import NDArray

from bs_client.data.sampling import Epoch, Flags, Indices, batches
from bs_client.model.network import Activations, Network
from bs_common.architecture import CLASSES, NamedArrays
from bs_common.errors import StudyStopped
from bs_common.settings import StudySettings

ActivationsOf = Callable[[Indices, Flags], Activations]
EpochOf = Callable[[int], Epoch]


@dataclass(frozen=True, slots=True)
class TrainOutcome:
    """What a round of local training gave.

    num_examples : scans of one balanced epoch, twice the site's positives.
    loss, accuracy : means over the steps of the round's last epoch, each before its step.
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
        self._fresh = [np.array(variable) for variable in self._optimizer.variables]
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
    ) -> TrainOutcome:
        """Train the given weights for one round.

        Parameters
        ----------
        labels : (N,) of the site's training scans.
        activations_of : gives boundary activations of scans, flipped or not.
        epoch_of : gives the round's epoch 0, 1, 2 ...

        Raises
        ------
        StudyStopped if the loss stops being a number.
        """
        self._network.set_arrays(arrays)
        for variable, value in zip(self._optimizer.variables, self._fresh, strict=True):
            variable.assign(value)
        targets = np.eye(len(CLASSES), dtype=np.float32)[labels.astype(np.int64)]  # (N, 2)
        branch, steps, result = self._network.branch, 0, {"loss": math.nan, "accuracy": math.nan}
        for epoch in self._epochs(epoch_of):
            branch.reset_metrics()
            for indices, flips in self._steps_left(epoch, steps):
                result = branch.train_on_batch(
                    activations_of(indices, flips), targets[indices], return_dict=True
                )
                steps += 1
        if not math.isfinite(float(result["loss"])):
            raise StudyStopped(
                "The training loss is not a number any more.",
                remedy="Lower learning_rate in the study file.",
            )
        return TrainOutcome(
            arrays=self._network.get_arrays(),
            num_examples=2 * int(labels.sum()),
            loss=float(result["loss"]),
            accuracy=float(result["accuracy"]),
            steps=steps,
        )

    def _epochs(self, epoch_of: EpochOf) -> Iterator[Epoch]:
        """Give the round's epochs: a fixed number, or as many as its steps need."""
        if self._settings.local_steps is None:
            for number in range(self._settings.local_epochs):
                yield epoch_of(number)
            return
        steps, number = 0, 0
        while steps < self._settings.local_steps:
            epoch = epoch_of(number)
            yield epoch
            steps += math.ceil(len(epoch.indices) / self._settings.batch_size)
            number += 1

    def _steps_left(self, epoch: Epoch, done: int) -> Iterator[tuple[Indices, Flags]]:
        limit = self._settings.local_steps
        for number, batch in enumerate(batches(epoch, self._settings.batch_size)):
            if limit is not None and done + number >= limit:
                return
            yield batch
