"""A weights file of VGG16's convolutions laid out as the one that Keras publishes.

Groups by layer and lists of names as attributes: the layout of Keras 1 and 2, in which
`vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5` was written.
"""

from __future__ import annotations

import math
from pathlib import Path

import h5py
import numpy as np

from bs_common.architecture import NamedArrays, backbone_shapes


def draw_convolutions(seed: int) -> NamedArrays:
    """Draw He-normal kernels and small biases, which a network can learn from."""
    draw = np.random.default_rng(seed)
    return {
        name: draw.normal(
            0, math.sqrt(2 / math.prod(shape[:-1])) if len(shape) > 1 else 0.01, shape
        ).astype(np.float32)
        for name, shape in backbone_shapes().items()
    }


def write_keras_file(path: Path, arrays: NamedArrays) -> None:
    """Write the convolutions; layers without weights, such as poolings, have empty groups."""
    layers = list(dict.fromkeys(name.partition("/")[0] for name in arrays))
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [layer.encode() for layer in ["input_1", *layers]]
        file.create_group("input_1").attrs["weight_names"] = []
        for layer in layers:
            group = file.create_group(layer)
            names = [f"{layer}_W_1:0", f"{layer}_b_1:0"]
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, part in zip(names, ("kernel", "bias"), strict=True):
                group[name] = arrays[f"{layer}/{part}"]
