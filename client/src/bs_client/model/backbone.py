"""Where the convolutions start: ImageNet weights from Keras or a file, or a seeded draw."""

from __future__ import annotations

import math
from pathlib import Path

import keras
import numpy as np

from bs_common.architecture import NamedArrays, backbone_shapes
from bs_common.errors import ConfigError, TrustError
from bs_common.randomness import generator

KERAS_FILE = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"


def load_backbone(source: str, *, file: Path | None = None) -> NamedArrays:
    """Load the thirteen convolutions' weights.

    Parameters
    ----------
    source : the study's word: ``"imagenet"``, ``"file:PATH"`` or ``"random:SEED"``.
    file : this site's own copy of the weights file, used instead of a download or PATH.

    Raises
    ------
    ConfigError
        If the weights cannot be downloaded or the file is not there.
    TrustError
        If the file does not hold VGG16's convolutions.
    """
    kind, _, detail = source.partition(":")
    if kind == "random":
        return draw_backbone(int(detail))
    if file is not None:
        return read_backbone(file)
    return read_backbone(Path(detail)) if kind == "file" else _download()


def draw_backbone(seed: int) -> NamedArrays:
    """Draw He-normal kernels (He et al. 2015, eq. 10) and zero biases; for tests and demos."""
    arrays: NamedArrays = {}
    for name, shape in backbone_shapes().items():
        if len(shape) == 1:
            arrays[name] = np.zeros(shape, np.float32)
            continue
        deviation = math.sqrt(2 / math.prod(shape[:3]))  # fan-in: height x width x channels in
        draw = generator(seed, "backbone", name).normal(0, deviation, shape)
        arrays[name] = draw.astype(np.float32)
    return arrays


def read_backbone(path: Path) -> NamedArrays:
    """Read the weights from Keras' own VGG16 file without top (HDF5)."""
    if not path.is_file():
        raise ConfigError(
            f"{path}: no such weights file.",
            remedy=f"Carry Keras' {KERAS_FILE} here and set compute.backbone_file in site.toml.",
        )
    model = keras.applications.VGG16(weights=None, include_top=False)
    try:
        model.load_weights(path)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrustError(
            f"{path.name}: does not hold the weights of VGG16 without its top.",
            remedy=f"Use the file {KERAS_FILE} as Keras publishes it.",
        ) from error
    return _arrays_of(model)


def _download() -> NamedArrays:
    try:
        model = keras.applications.VGG16(weights="imagenet", include_top=False)
    except Exception as error:  # Keras raises a bare Exception when a download fails
        raise ConfigError(
            "The ImageNet weights could not be downloaded.",
            remedy=f"Without internet: carry the file {KERAS_FILE} here and set "
            "compute.backbone_file in site.toml.",
        ) from error
    return _arrays_of(model)


def _arrays_of(model: keras.Model) -> NamedArrays:
    arrays: NamedArrays = {}
    for name in backbone_shapes():
        layer, _, part = name.partition("/")
        kernel, bias = model.get_layer(layer).get_weights()
        arrays[name] = np.asarray(kernel if part == "kernel" else bias, np.float32)
    return arrays
