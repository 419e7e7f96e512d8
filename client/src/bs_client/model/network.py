"""VGG16 with the study's head, cut at the frozen boundary.

The part before the boundary, the trunk, never changes during a study, so what it gives for a scan
can be computed once. The part after it, the branch, is what is trained and travels::

    trainable    trunk ends at       the branch takes
    head         features            512 averaged features
    block5       block4_pool         (rows / 16, columns / 16, 512)
    all          the input           (rows, columns, 3)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from bs_common.architecture import (
    CLASSES,
    CONVOLUTIONS,
    HIDDEN,
    NamedArrays,
    Trainable,
    array_shapes,
    initial_head,
)

Activations = NDArray[np.float32]
Margins = NDArray[np.float64]

BOUNDARY: dict[Trainable, str] = {"head": "features", "block5": "block4_pool", "all": "views"}
_LAST_CONVOLUTION = "block5_conv3"
# Batches have one fixed size, filled up with zeros: a scan's result then does not depend on which
# scans stand beside it, and nothing is compiled twice.
_TRUNK_BATCH = 8
_BRANCH_BATCH = {"head": 64, "block5": 8, "all": 4}


class Network:
    """The network of one study.

    Parameters
    ----------
    trainable : which part is trained.
    rows, columns : size of the input, both views side by side; multiples of 32.
    backbone : the thirteen convolutions' arrays.
    """

    def __init__(
        self, trainable: Trainable, *, rows: int, columns: int, backbone: NamedArrays
    ) -> None:
        self.trainable: Trainable = trainable
        self._full = _build(rows, columns)
        self._set(self._full, backbone | initial_head(0))
        self._names = list(array_shapes(trainable))
        boundary = self._full.get_layer(BOUNDARY[trainable]).output
        self._trunk = keras.Model(self._full.input, boundary)
        self.branch = self._make_branch(boundary)
        last = self._full.get_layer(_LAST_CONVOLUTION).output
        self._explainer = keras.Model(self._full.input, [last, self._full.output])

    @property
    def boundary(self) -> str:
        """Name of the layer where the frozen part ends."""
        return BOUNDARY[self.trainable]

    def count_parameters(self) -> int:
        """Give the number of weights of the whole network: 14,978,370."""
        return int(self._full.count_params())

    def set_arrays(self, arrays: NamedArrays) -> None:
        """Put travelling weights in place."""
        self._set(self._full, arrays)

    def get_arrays(self) -> NamedArrays:
        """Give the travelling weights, in the contract's order."""
        arrays: NamedArrays = {}
        for name in self._names:
            layer, _, part = name.partition("/")
            weight = getattr(self._full.get_layer(layer), part)
            arrays[name] = np.array(keras.ops.convert_to_numpy(weight), np.float32)
        return arrays

    def activate(self, images: Activations) -> Activations:
        """Give what the trunk makes of (N, rows, columns, 3) images in [0, 1], N >= 1."""
        if self.trainable == "all":
            return images
        return _in_batches(self._trunk.predict_on_batch, images, _TRUNK_BATCH)

    def score(self, activations: Activations) -> Margins:
        """Give the margin z_metastasis - z_no_metastasis of boundary activations, (N,), N >= 1."""
        size = _BRANCH_BATCH[self.trainable]
        logits = _in_batches(self.branch.predict_on_batch, activations, size)  # (N, 2)
        return _margins(logits)

    def explain(self, images: Activations) -> tuple[Activations, Margins]:
        """Give the last convolution's output after its ReLU, and the margins, in one pass.

        Parameters
        ----------
        images : (N, rows, columns, 3) in [0, 1], N >= 1; one at a time goes through the network,
            since maps are asked for scan by scan.

        Returns
        -------
        (N, rows / 16, columns / 16, 512) and (N,).
        """
        explain = self._explainer.predict_on_batch
        maps, logits = zip(*(explain(image[np.newaxis]) for image in images), strict=True)
        return np.concatenate(maps), _margins(np.concatenate(logits))

    def _make_branch(self, boundary: keras.KerasTensor) -> keras.Model:
        """Apply the layers after the boundary to an input of their own; weights are shared."""
        names = [layer.name for layer in self._full.layers]
        after = names[names.index(self.boundary) + 1 :]
        inputs = keras.Input(boundary.shape[1:], name="boundary")
        signal = inputs
        for name in after:
            signal = self._full.get_layer(name)(signal)
        return keras.Model(inputs, signal)

    @staticmethod
    def _set(model: keras.Model, arrays: NamedArrays) -> None:
        for name, array in arrays.items():
            layer, _, part = name.partition("/")
            getattr(model.get_layer(layer), part).assign(array)


def _build(rows: int, columns: int) -> keras.Model:
    inputs = keras.Input((rows, columns, 3), name="views")
    signal = inputs
    for block, filters in CONVOLUTIONS.items():
        for number, count in enumerate(filters, start=1):
            signal = layers.Conv2D(
                count, 3, padding="same", activation="relu", name=f"{block}_conv{number}"
            )(signal)
        signal = layers.MaxPooling2D(2, name=f"{block}_pool")(signal)
    signal = layers.GlobalAveragePooling2D(name="features")(signal)  # (B, 512)
    signal = layers.Dense(HIDDEN, activation="relu", name="head_hidden")(signal)
    # Logits: the softmax stands in the loss, where it is numerically safe.
    return keras.Model(inputs, layers.Dense(len(CLASSES), name="head_output")(signal))


def _margins(logits: Activations) -> Margins:
    return logits[:, 1].astype(np.float64) - logits[:, 0].astype(np.float64)


def _in_batches(
    compute: Callable[[Activations], Activations], inputs: Activations, size: int
) -> Activations:
    return np.concatenate([compute(batch)[:kept] for batch, kept in _padded(inputs, size)])


def _padded(inputs: Activations, size: int) -> Iterator[tuple[Activations, int]]:
    """Cut inputs into batches of one size and say how many of each are real."""
    for start in range(0, len(inputs), size):
        batch = inputs[start : start + size]
        missing = size - len(batch)
        if missing:
            filler = np.zeros((missing, *batch.shape[1:]), batch.dtype)
            yield np.concatenate([batch, filler]), len(batch)
        else:
            yield batch, size
