"""The study's network on 64 x 64 pixels, Keras' own VGG16 to hold it against, and drawn scans."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from bs_client.data.cache import ArrayCache
from bs_client.data.dataset import Dataset, Intake, image_key
from bs_client.data.labels import Split
from bs_client.data.manifest import Entry
from bs_client.dicom.settings import IngestSettings
from bs_client.model.backbone import draw_backbone
from bs_client.model.device import prepare_device
from bs_client.model.network import Network
from bs_common.architecture import NamedArrays, Trainable, array_shapes, initial_head
from bs_common.settings import StudySettings

ROWS, COLUMNS = 64, 64
BACKBONE_SEED = 3


def small_settings(trainable: Trainable, **changes: int | float | None) -> StudySettings:
    """Settings of a study whose two views fill 64 x 64 pixels together."""
    profile = {
        "name": "small",
        "seed": 11,
        "backbone": f"random:{BACKBONE_SEED}",
        "trainable": trainable,
        "view_height": ROWS,
        "view_width": COLUMNS // 2,
        "local_epochs": 1,
    }
    return StudySettings.model_validate(profile | changes)


@cache
def backbone() -> NamedArrays:
    return draw_backbone(BACKBONE_SEED)


@cache
def small_network(trainable: Trainable) -> Network:
    """Give the one network of a scope; its weights are whatever the last test left."""
    prepare_device(2)
    return Network(trainable, rows=ROWS, columns=COLUMNS, backbone=backbone())


def start(trainable: Trainable) -> NamedArrays:
    """Give the travelling weights that a study starts with."""
    everything = backbone() | initial_head(11)
    return {name: everything[name].copy() for name in array_shapes(trainable)}


def reference_network(arrays: NamedArrays) -> keras.Model:
    """Build the network as the paper says, from Keras' VGG16: images to class probabilities."""
    prepare_device(2)
    base = keras.applications.VGG16(
        include_top=False, weights=None, input_shape=(ROWS, COLUMNS, 3), pooling="avg"
    )
    hidden = keras.layers.Dense(512, activation="relu", name="head_hidden")(base.output)
    output = keras.layers.Dense(2, activation="softmax", name="head_output")(hidden)
    model = keras.Model(base.input, output)
    model.set_weights(list((backbone() | arrays).values()))
    return model


def drawn_images(count: int, seed: int = 5) -> NDArray[np.float32]:
    """Draw (count, 64, 64, 3) inputs in [0, 1] with three equal channels."""
    draw = np.random.default_rng(seed).random((count, ROWS, COLUMNS), np.float32)
    return np.repeat(draw[..., np.newaxis], 3, axis=-1)


def drawn_dataset(
    folder: Path, labels: Mapping[Split, Sequence[bool]], settings: StudySettings
) -> Dataset:
    """Make a data set of drawn network inputs, without any DICOM object behind them."""
    images = ArrayCache(folder / "images")
    entries: list[Entry] = []
    for split, classes in labels.items():
        for label in classes:
            number = len(entries)
            pixels = hashlib.sha256(str(number).encode()).hexdigest()
            image = drawn_images(1, seed=number)[0, ..., 0]
            images.put(image_key(pixels, settings), image)
            entries.append(Entry(f"1.2.3.{number}", f"P{number}", label, pixels, split))
    return Dataset(tuple(entries), Intake({}, {}), images, settings, IngestSettings())
