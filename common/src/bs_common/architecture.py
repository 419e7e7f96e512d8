"""The study's network as names and shapes, so that the coordinator needs no Keras.

VGG16 without its top (Simonyan and Zisserman 2015, configuration D), global average pooling, a
dense layer of 512 ReLU units and a softmax over two classes: 14,978,370 parameters, as in the
paper. Weights are float32 in Keras' order: kernels (height, width, in, out) or (in, out), then
biases (out,).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bs_common.randomness import generator

Trainable = Literal["head", "block5", "all"]
NamedArrays = dict[str, NDArray[np.float32]]  # in the order of `array_shapes`
Shape = tuple[int, ...]

CLASSES = ("no_metastasis", "metastasis")
FEATURES = 512
HIDDEN = 512

# block: (filters of each 3 x 3 convolution); a 2 x 2 max pooling closes each block.
CONVOLUTIONS: Mapping[str, tuple[int, ...]] = {
    "block1": (64, 64),
    "block2": (128, 128),
    "block3": (256, 256, 256),
    "block4": (512, 512, 512),
    "block5": (512, 512, 512),
}
HEAD_LAYERS = (("head_hidden", FEATURES, HIDDEN), ("head_output", HIDDEN, len(CLASSES)))


def backbone_shapes(*, blocks: tuple[str, ...] = tuple(CONVOLUTIONS)) -> dict[str, Shape]:
    """Name and shape of every array of the given convolution blocks, in forward order."""
    shapes: dict[str, Shape] = {}
    channels = 3
    for block, filters in CONVOLUTIONS.items():
        for number, count in enumerate(filters, start=1):
            if block in blocks:
                shapes[f"{block}_conv{number}/kernel"] = (3, 3, channels, count)
                shapes[f"{block}_conv{number}/bias"] = (count,)
            channels = count
    return shapes


def head_shapes() -> dict[str, Shape]:
    """Name and shape of the classifier head's four arrays."""
    shapes: dict[str, Shape] = {}
    for layer, inputs, outputs in HEAD_LAYERS:
        shapes[f"{layer}/kernel"] = (inputs, outputs)
        shapes[f"{layer}/bias"] = (outputs,)
    return shapes


def array_shapes(trainable: Trainable) -> dict[str, Shape]:
    """Name and shape of every array that travels for a scope, in forward order."""
    blocks = {"head": (), "block5": ("block5",), "all": tuple(CONVOLUTIONS)}[trainable]
    return backbone_shapes(blocks=blocks) | head_shapes()


def parameter_count(trainable: Trainable) -> int:
    """Give the number of weights that travel: 263,682 for the head, 14,978,370 for all."""
    return sum(math.prod(shape) for shape in array_shapes(trainable).values())


def initial_head(seed: int) -> NamedArrays:
    """Draw the head's start: Glorot uniform kernels (Glorot and Bengio 2010), zero biases."""
    arrays: NamedArrays = {}
    for name, shape in head_shapes().items():
        if len(shape) == 1:
            arrays[name] = np.zeros(shape, np.float32)
            continue
        limit = math.sqrt(6 / (shape[0] + shape[1]))
        draw = generator(seed, "initial", name)
        arrays[name] = draw.uniform(-limit, limit, shape).astype(np.float32)
    return arrays
