"""A small network, trained end to end on conspicuous phantoms: its maps find what it has learned.

Positive and negative phantoms share their patients, so that the metastases are what differs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from bs_client.data.preprocess import Geometry, flip, prepare
from bs_client.evaluation.auc import delong
from bs_client.explain.agreement import AgreementSummary, hold_against_mask, summarise_agreement
from bs_client.explain.gradcam import Maps, grad_cam
from bs_client.explain.sanity import cascade
from bs_client.phantom import STYLES
from bs_client.phantom.study import PhantomStudy, draw_study
from bs_common.architecture import NamedArrays

pytestmark = [pytest.mark.usefixtures("device"), pytest.mark.slow]

HEIGHT, WIDTH = 128, 64
TRAIN, TEST = 80, 30
GROUPS = ("head_output", "head_hidden", "last", "second", "first")


@dataclass(frozen=True)
class Trained:
    """A network before and after training, and scans that it has not seen."""

    before: NamedArrays
    after: NamedArrays
    studies: list[PhantomStudy]
    images: NDArray[np.float32]
    margins: NDArray[np.float64]

    def maps_of(self, weights: NamedArrays) -> Maps:
        return grad_cam(_activate(self.images, weights), weights)

    def agreement(self, weights: NamedArrays) -> AgreementSummary:
        maps = self.maps_of(weights)
        scans = [
            hold_against_mask(
                heat,
                (study.anterior.astype(np.float32), study.posterior.astype(np.float32)),
                (study.mask_anterior, study.mask_posterior),
                Geometry(study.anterior.shape, study.posterior.shape),
            )
            for heat, study in zip(maps, self.studies, strict=True)
            if study.label
        ]
        found = summarise_agreement(scans, seed=1)
        assert found is not None
        return found


def _activate(images: NDArray[np.float32], weights: NamedArrays) -> NDArray[np.float32]:
    """Run the convolutions with any weights, (N, rows / 4, columns / 4, 24) after the ReLU."""
    import keras

    signal = 4 * images[..., np.newaxis]
    for name in ("first", "second", "last"):
        kernel = weights[f"{name}/kernel"]
        signal = keras.ops.relu(keras.ops.conv(signal, kernel, padding="same"))
        if name != "last":
            signal = keras.ops.max_pool(signal, 2)
    return np.asarray(keras.ops.convert_to_numpy(signal))


@pytest.fixture(scope="module")
def trained() -> Trained:
    import keras
    from keras import layers

    studies = [
        draw_study(
            7,
            number,
            style=STYLES["aachen"],
            label=number % 2 == 0,
            preset="conspicuous",
            patient_number=number // 2,
        )
        for number in range(TRAIN + TEST)
    ]
    images = np.stack([_image(study) for study in studies])
    labels = np.array([study.label for study in studies])
    keras.utils.set_random_seed(1)
    inputs = keras.Input((HEIGHT, 2 * WIDTH, 1))
    signal = layers.Rescaling(4.0)(inputs)
    for name, filters in (("first", 8), ("second", 16), ("last", 24)):
        # Without biases the air beside the body stays dark in every layer.
        signal = layers.Conv2D(
            filters, 3, padding="same", activation="relu", use_bias=False, name=name
        )(signal)
        signal = layers.MaxPooling2D(2)(signal)
    signal = layers.GlobalAveragePooling2D()(signal)
    signal = layers.Dense(32, activation="relu", name="head_hidden")(signal)
    network = keras.Model(inputs, layers.Dense(2, name="head_output")(signal))
    network.compile(
        optimizer=keras.optimizers.Adam(3e-3),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    before = _weights(network)
    shown = np.concatenate([images[:TRAIN], flip(images[:TRAIN])])[..., np.newaxis]
    truth = np.tile(labels[:TRAIN], 2).astype(int)
    network.fit(shown, truth, batch_size=8, epochs=30, verbose=0)
    logits = network.predict_on_batch(images[TRAIN:, ..., np.newaxis]).astype(np.float64)
    return Trained(
        before, _weights(network), studies[TRAIN:], images[TRAIN:], logits[:, 1] - logits[:, 0]
    )


def _image(study: PhantomStudy) -> NDArray[np.float32]:
    counts = (study.anterior.astype(np.float32), study.posterior.astype(np.float32))
    return prepare(*counts, height=HEIGHT, width=WIDTH, profile="robust").image


def _weights(network: object) -> NamedArrays:
    import keras

    assert isinstance(network, keras.Model)
    return {
        f"{layer.name}/{part}": np.array(keras.ops.convert_to_numpy(getattr(layer, part)))
        for layer in network.layers
        for part in ("kernel", "bias")
        if getattr(layer, part, None) is not None
    }


@pytest.fixture(scope="module")
def learned(trained: Trained) -> AgreementSummary:
    return trained.agreement(trained.after)


@pytest.fixture(scope="module")
def random(trained: Trained) -> AgreementSummary:
    return trained.agreement(trained.before)


def test_the_network_has_learned_to_tell_scans_apart(trained: Trained) -> None:
    labels = [study.label for study in trained.studies]

    assert delong(trained.margins, labels).auc > 0.85


@pytest.mark.parametrize("measure", ["energy", "auprc", "dice"])
def test_agreement_tells_the_trained_network_from_the_random_one(
    learned: AgreementSummary, random: AgreementSummary, measure: str
) -> None:
    after, before = (one.by_source["model"][measure] for one in (learned, random))

    # Whole intervals apart, over 15 scans with masks.
    assert after.low > before.high


def test_no_map_agrees_better_than_its_resolution_allows(learned: AgreementSummary) -> None:
    found = learned.by_source

    assert found["model"]["energy"].value < found["ceiling"]["energy"].value
    assert found["body"]["energy"].value < found["model"]["energy"].value


def test_its_maps_change_when_what_was_learned_is_taken_away(trained: Trained) -> None:
    steps = cascade(trained.maps_of, trained.after, groups=GROUPS, seed=1, draws=3)

    assert not steps[-1].likeness.survives


def test_a_map_that_does_not_ask_the_network_is_flagged(trained: Trained) -> None:
    def broken(_weights: NamedArrays) -> Maps:
        return trained.images[:, ::4, ::4]  # the picture itself, laid over as if it explained

    steps = cascade(broken, trained.after, groups=GROUPS, seed=1, draws=1)

    assert steps[-1].likeness.survives
