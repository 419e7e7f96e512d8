from __future__ import annotations

import urllib.error
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from bs_client.data.sampling import Epoch
from bs_client.explain.gradcam import grad_cam
from bs_client.model.backbone import KERAS_FILE, draw_backbone, load_backbone, read_backbone
from bs_client.model.network import Activations, Network
from bs_client.training.local import Trainer, TrainOutcome
from bs_client.training.loss import cross_entropy
from bs_common.architecture import (
    NamedArrays,
    Trainable,
    array_shapes,
    backbone_shapes,
    initial_head,
)
from bs_common.errors import ConfigError, StudyStopped, TrustError
from bs_common.settings import StudySettings
from bs_server.aggregation import Update, federated_average

pytestmark = pytest.mark.slow

Images = NDArray[np.float32]
LABELS = np.array([True, False, True, False, True, False])


def network(trainable: Trainable, backbone: NamedArrays) -> Network:
    return Network(trainable, rows=64, columns=64, backbone=backbone)


def settings(**changes: object) -> StudySettings:
    return StudySettings(name="laws", trainable="head").model_copy(update=changes)


def whole_epoch(count: int) -> Epoch:
    return Epoch(indices=np.arange(count), flips=np.zeros(count, bool))


def train(
    trainer: Trainer, start: NamedArrays, activations: Activations, labels: NDArray[np.bool_]
) -> TrainOutcome:
    return trainer.train_round(
        start,
        labels=labels,
        activations_of=lambda indices, _flips: activations[indices],
        epoch_of=lambda _epoch: whole_epoch(len(labels)),
    )


def test_the_network_has_the_papers_number_of_parameters(backbone: NamedArrays) -> None:
    assert network("head", backbone).count_parameters() == 14_978_370


@pytest.mark.parametrize("trainable", ["head", "block5", "all"])
def test_the_travelling_arrays_are_those_of_the_contract(
    trainable: Trainable, backbone: NamedArrays
) -> None:
    arrays = network(trainable, backbone).get_arrays()

    assert {name: array.shape for name, array in arrays.items()} == array_shapes(trainable)


def test_every_scope_scores_alike(backbone: NamedArrays, images: Images) -> None:
    head = initial_head(5)
    scores = []
    for trainable in ("head", "block5", "all"):
        net = network(trainable, backbone)
        net.set_arrays(head)
        scores.append(net.score(net.activate(images)))

    np.testing.assert_allclose(scores[1], scores[0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(scores[2], scores[0], rtol=1e-4, atol=1e-5)


def test_federated_averaging_of_one_full_batch_step_equals_the_pooled_step(
    backbone: NamedArrays, images: Images
) -> None:
    net, start = network("head", backbone), initial_head(5)
    features = net.activate(images)

    def step(rows: slice) -> NamedArrays:
        count = len(LABELS[rows])
        trainer = Trainer(net, settings(batch_size=count), optimizer=keras.optimizers.SGD(0.5))
        return train(trainer, start, features[rows], LABELS[rows]).arrays

    averaged = federated_average(
        {"a": Update(step(slice(0, 4)), 4), "b": Update(step(slice(4, 6)), 2)}
    )

    for name, pooled in step(slice(0, 6)).items():
        np.testing.assert_allclose(averaged[name], pooled, atol=1e-6)


def test_training_on_cached_features_equals_training_the_whole_network(
    backbone: NamedArrays, images: Images
) -> None:
    net, start = network("head", backbone), initial_head(5)
    cached = train(
        Trainer(net, settings(learning_rate=1e-3, local_epochs=3)),
        start,
        net.activate(images),
        LABELS,
    )
    net.set_arrays(start)
    whole = net._full
    for layer in whole.layers:
        layer.trainable = layer.name.startswith("head_")
    whole.compile(
        optimizer=keras.optimizers.Adam(1e-3),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True),
    )
    targets = np.eye(2, dtype=np.float32)[LABELS.astype(int)]

    for _ in range(3):
        for rows in (slice(0, 4), slice(4, 6)):
            whole.train_on_batch(images[rows], targets[rows])

    for name, plain in net.get_arrays().items():
        np.testing.assert_allclose(cached.arrays[name], plain, atol=2e-5)


def test_two_rounds_from_one_start_give_the_same_bytes(
    backbone: NamedArrays, images: Images
) -> None:
    net = network("head", backbone)
    trainer, features = Trainer(net, settings(local_epochs=2)), net.activate(images)

    first = train(trainer, initial_head(5), features, LABELS)
    train(trainer, first.arrays, features, LABELS)  # leaves Adam's moments behind
    again = train(trainer, initial_head(5), features, LABELS)

    for name, array in first.arrays.items():
        assert again.arrays[name].tobytes() == array.tobytes()


def test_local_steps_are_counted_exactly(backbone: NamedArrays, images: Images) -> None:
    net = network("head", backbone)

    outcome = train(
        Trainer(net, settings(local_steps=5)), initial_head(5), net.activate(images), LABELS
    )

    assert outcome.steps == 5


def test_training_all_changes_the_first_convolution(backbone: NamedArrays, images: Images) -> None:
    net = network("all", backbone)
    start = {name: (backbone | initial_head(5))[name] for name in array_shapes("all")}
    trainer = Trainer(net, settings(trainable="all", local_steps=1, batch_size=2))

    after = train(trainer, start, net.activate(images), LABELS).arrays

    assert not np.array_equal(after["block1_conv1/kernel"], start["block1_conv1/kernel"])


def test_a_loss_that_is_no_number_stops_the_study(backbone: NamedArrays, images: Images) -> None:
    net, broken = network("head", backbone), initial_head(5)
    broken["head_output/kernel"][:] = np.nan

    with pytest.raises(StudyStopped):
        train(Trainer(net, settings()), broken, net.activate(images), LABELS)


@pytest.mark.parametrize("scale", [1.0, 60.0])
def test_closed_form_grad_cam_equals_the_tape(
    backbone: NamedArrays, images: Images, scale: float
) -> None:
    net = network("head", backbone)
    head = {name: array * np.float32(scale) for name, array in initial_head(5).items()}
    net.set_arrays(head)

    maps, margins = net.explain(images)
    closed = grad_cam(maps, head)

    with tf.GradientTape() as tape:
        last = tf.constant(maps)
        tape.watch(last)
        pooled = tf.reduce_mean(tf.nn.max_pool2d(last, 2, 2, "VALID"), axis=(1, 2))
        hidden = tf.nn.relu(pooled @ head["head_hidden/kernel"] + head["head_hidden/bias"])
        out = hidden @ head["head_output/kernel"] + head["head_output/bias"]
        margin = out[:, 1] - out[:, 0]
    weights = tf.reduce_mean(tape.gradient(margin, last), axis=(1, 2), keepdims=True)
    taped = np.maximum(tf.reduce_sum(weights * last, axis=-1).numpy(), 0)
    peaks = taped.max(axis=(1, 2), keepdims=True)
    taped = np.divide(taped, peaks, out=np.zeros_like(taped), where=peaks > 0)
    np.testing.assert_allclose(closed, taped, atol=1e-5)
    np.testing.assert_allclose(margins, margin.numpy(), rtol=1e-4, atol=1e-4)


def test_cross_entropy_is_that_of_keras(backbone: NamedArrays) -> None:
    margins = np.array([3.0, -2.0, 40.0, -0.1])
    labels = np.array([True, False, False, True])
    logits = np.stack([np.zeros(4), margins], axis=1)
    keras_loss = keras.losses.CategoricalCrossentropy(from_logits=True)(
        np.eye(2)[labels.astype(int)], logits
    )

    assert cross_entropy(margins, labels) == pytest.approx(float(keras_loss), rel=1e-6)


def test_a_weights_file_of_keras_loads_to_the_same_arrays(tmp_path: Path, device: str) -> None:
    model = keras.applications.VGG16(weights=None, include_top=False)
    path = tmp_path / "vgg16.weights.h5"
    model.save_weights(path)

    loaded = read_backbone(path)

    assert {n: a.shape for n, a in loaded.items()} == backbone_shapes()
    for name, array in loaded.items():
        layer, _, part = name.partition("/")
        kernel, bias = model.get_layer(layer).get_weights()
        np.testing.assert_array_equal(array, kernel if part == "kernel" else bias)


def test_the_published_file_layout_loads(tmp_path: Path, device: str) -> None:
    path, drawn = tmp_path / KERAS_FILE, draw_backbone(9)
    layers = keras.applications.VGG16(weights=None, include_top=False).layers
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = np.array([layer.name.encode() for layer in layers])
        for layer in layers:
            group = file.create_group(layer.name)
            names = [f"{layer.name}_W_1:0", f"{layer.name}_b_1:0"] if layer.weights else []
            group.attrs["weight_names"] = np.array([n.encode() for n in names], dtype="S64")
            for name, part in zip(names, ("kernel", "bias"), strict=False):
                group.create_dataset(name, data=drawn[f"{layer.name}/{part}"])

    loaded = read_backbone(path)

    for name, array in drawn.items():
        np.testing.assert_array_equal(loaded[name], array)


def test_a_file_without_vgg16_is_refused(tmp_path: Path, device: str) -> None:
    path = tmp_path / "other.h5"
    with h5py.File(path, "w") as file:
        file["x"] = np.zeros(3)

    with pytest.raises(TrustError):
        read_backbone(path)


def test_a_missing_file_is_named_with_what_to_carry_in(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        load_backbone(f"file:{tmp_path / 'absent.h5'}")

    assert KERAS_FILE in refused.value.remedy


def test_a_failed_download_names_the_file_to_carry_in(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: object) -> None:
        raise urllib.error.URLError("no route")

    monkeypatch.setattr(keras.applications, "VGG16", fail)

    with pytest.raises(ConfigError) as refused:
        load_backbone("imagenet")
    assert KERAS_FILE in refused.value.remedy


def test_a_drawn_backbone_is_the_same_everywhere() -> None:
    first, again, other = draw_backbone(1), draw_backbone(1), draw_backbone(2)
    kernel = first["block3_conv2/kernel"]

    np.testing.assert_array_equal(kernel, again["block3_conv2/kernel"])
    assert not np.array_equal(kernel, other["block3_conv2/kernel"])
    # He-normal: variance 2 / fan-in, here over 3 x 3 x 256 inputs.
    assert kernel.var() == pytest.approx(2 / (9 * 256), rel=0.01)
