"""A round of local training against plain Keras and the laws of federated averaging."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from bs_client.data.cache import ArrayCache
from bs_client.data.labels import Split
from bs_client.data.preprocess import as_channels, flip
from bs_client.data.sampling import Epoch, Flags, Indices, balanced_epoch, batches
from bs_client.interruption import Interrupted
from bs_client.model.network import Activations, Network
from bs_client.training.draft import Draft
from bs_client.training.features import Features
from bs_client.training.local import Trainer, TrainOutcome
from bs_common.architecture import NamedArrays, Trainable
from bs_common.errors import StudyStopped
from bs_common.settings import StudySettings
from bs_common.weights import digest
from bs_server.federation.aggregation import Update, federated_average
from support.small_network import (
    drawn_dataset,
    reference_network,
    small_network,
    small_settings,
    start,
)

pytestmark = [pytest.mark.usefixtures("device"), pytest.mark.slow]

LABELS = np.array([True, False, False, True, False, False, False, True])
BOUNDARY_SHAPE: dict[Trainable, tuple[int, ...]] = {
    "head": (512,),
    "block5": (4, 4, 512),
    "all": (64, 64, 3),
}
ActivationsOf = Callable[[Indices, Flags], Activations]


def drawn(trainable: Trainable) -> ActivationsOf:
    """Give drawn boundary activations for the eight scans; a flipped scan is another draw."""
    shape = (2, LABELS.size, *BOUNDARY_SHAPE[trainable])
    held = np.random.default_rng(8).random(shape, np.float32)
    return lambda indices, flips: held[flips.astype(int), indices]


def train(trainable: Trainable, settings: StudySettings) -> TrainOutcome:
    """Train one round of balanced epochs from the study's start."""
    return Trainer(small_network(trainable), settings).train_round(
        start(trainable),
        labels=LABELS,
        activations_of=drawn(trainable),
        epoch_of=balanced,
    )


def balanced(number: int) -> Epoch:
    return balanced_epoch(LABELS, seed=11, site="aachen", round_number=1, epoch=number)


def full_batch_step(trainable: Trainable, scans: NDArray[np.int64]) -> NamedArrays:
    """Take one step of gradient descent on the mean loss of the given scans."""
    settings = small_settings(trainable, batch_size=scans.size, local_steps=1)
    trainer = Trainer(
        small_network(trainable), settings, optimizer=keras.optimizers.SGD(learning_rate=0.1)
    )
    outcome = trainer.train_round(
        start(trainable),
        labels=LABELS,
        activations_of=drawn(trainable),
        epoch_of=lambda _: Epoch(scans, np.zeros(scans.size, bool)),
    )
    return outcome.arrays


@pytest.mark.parametrize("trainable", ["head", "all"])
def test_the_average_of_two_sites_full_batch_steps_is_the_pooled_step(trainable: Trainable) -> None:
    first, second = np.arange(3), np.arange(3, 8)

    averaged = federated_average(
        {
            "aachen": Update(full_batch_step(trainable, first), 3),
            "aalborg": Update(full_batch_step(trainable, second), 5),
        }
    )
    pooled = full_batch_step(trainable, np.arange(8))

    for name, begun in start(trainable).items():
        np.testing.assert_allclose(averaged[name], pooled[name], rtol=0, atol=1e-6)
        assert not np.array_equal(pooled[name], begun)


def test_training_on_cached_features_is_training_the_frozen_network_on_images(
    tmp_path: Path,
) -> None:
    settings = small_settings("head", learning_rate=1e-3, local_epochs=3)
    data = drawn_dataset(tmp_path, {Split.TRAIN: LABELS.tolist()}, settings)
    network = small_network("head")
    cache = ArrayCache(tmp_path / "features")
    features = Features(data, Split.TRAIN, network=network, cache=cache, backbone_sha256="b")
    features.prepare(flips=(False, True), progress=lambda done, total: None)

    cached = Trainer(network, settings).train_round(
        start("head"), labels=LABELS, activations_of=features.of, epoch_of=balanced
    )

    reference = reference_network(start("head"))
    for layer in reference.layers:
        layer.trainable = layer.name.startswith("head_")
    reference.compile(keras.optimizers.Adam(1e-3), "categorical_crossentropy")
    images = np.stack([data.image(entry) for entry in data.entries])
    for number in range(3):
        for indices, flips in batches(balanced(number), settings.batch_size):
            batch = np.where(flips[:, None, None], flip(images[indices]), images[indices])
            reference.train_on_batch(as_channels(batch), np.eye(2)[LABELS[indices].astype(int)])
    for name, array in cached.arrays.items():
        layer, _, part = name.partition("/")
        uncached = np.array(getattr(reference.get_layer(layer), part))
        np.testing.assert_allclose(array, uncached, rtol=0, atol=2e-6)
        assert np.abs(uncached - start("head")[name]).max() > 1e-4  # training did something


@pytest.mark.parametrize("trainable", ["head", "all"])
def test_two_trainings_with_one_seed_give_the_same_bytes(trainable: Trainable) -> None:
    settings = small_settings(trainable)

    assert digest(train(trainable, settings).arrays) == digest(train(trainable, settings).arrays)


def test_nothing_of_an_earlier_round_is_left_in_the_next() -> None:
    trainer = Trainer(small_network("head"), small_settings("head", local_epochs=2))
    outcomes = [
        trainer.train_round(
            start("head"), labels=LABELS, activations_of=drawn("head"), epoch_of=balanced
        )
        for _ in range(2)
    ]

    assert digest(outcomes[0].arrays) == digest(outcomes[1].arrays)
    assert outcomes[0].loss == outcomes[1].loss


@pytest.mark.parametrize("trainable", ["head", "block5", "all"])
def test_exactly_the_chosen_part_of_the_network_changes(trainable: Trainable) -> None:
    network = small_network(trainable)
    network.set_arrays(start(trainable))
    before = whole(network)

    outcome = train(trainable, small_settings(trainable, local_steps=2))

    after = whole(network)
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    assert changed == set(outcome.arrays)
    assert ("block1_conv1/kernel" in changed) == (trainable == "all")


def whole(network: Network) -> NamedArrays:
    """Give every weight of the network, frozen or not."""
    return {weight.path: np.array(weight) for weight in network._full.weights}


@pytest.mark.parametrize("steps", [1, 3, 5])
def test_a_study_that_counts_steps_takes_exactly_that_many(steps: int) -> None:
    asked: list[int] = []

    def epoch_of(number: int) -> Epoch:
        asked.append(number)
        return balanced(number)

    settings = small_settings("head", local_steps=steps, local_epochs=4)  # 6 scans: 2 steps
    outcome = Trainer(small_network("head"), settings).train_round(
        start("head"), labels=LABELS, activations_of=drawn("head"), epoch_of=epoch_of
    )

    assert outcome.steps == steps
    assert asked == list(range(-(-steps // 2)))  # no epoch is drawn that is not trained on


def test_a_study_that_counts_epochs_takes_every_step_of_them() -> None:
    outcome = train("head", small_settings("head", local_epochs=3, batch_size=4))

    assert outcome.steps == 6  # 3 epochs of 6 scans in batches of 4 and 2
    assert outcome.num_examples == 6  # three scans with metastasis and as many without


def test_the_loss_is_the_mean_over_the_scans_before_each_step() -> None:
    network, activations_of = small_network("head"), drawn("head")
    epoch = balanced(0)
    network.set_arrays(start("head"))
    margins = network.score(activations_of(epoch.indices, epoch.flips))
    truth = LABELS[epoch.indices]

    # With a learning rate this small no step moves the next loss.
    outcome = train("head", small_settings("head", learning_rate=1e-12))

    expected = np.log1p(np.exp(np.where(truth, -margins, margins))).mean()
    assert outcome.loss == pytest.approx(expected, rel=1e-5)
    assert outcome.accuracy == pytest.approx(((margins > 0) == truth).mean())


def test_a_loss_that_is_no_number_stops_the_study() -> None:
    trainer = Trainer(small_network("head"), small_settings("head"))

    with pytest.raises(StudyStopped, match="not a finite number") as caught:
        trainer.train_round(
            start("head"),
            labels=LABELS,
            activations_of=lambda indices, _: np.full((indices.size, 512), np.nan, np.float32),
            epoch_of=balanced,
        )

    assert "learning_rate" in caught.value.remedy


def test_a_weight_that_breaks_in_the_last_step_stops_the_study() -> None:
    endless = keras.optimizers.SGD(learning_rate=3e38)  # the product overflows float32
    settings = small_settings("head", local_steps=1)
    trainer = Trainer(small_network("head"), settings, optimizer=endless)

    with pytest.raises(StudyStopped, match="not a finite number"):
        trainer.train_round(
            start("head"),
            labels=LABELS,
            activations_of=lambda indices, flips: 1e3 * drawn("head")(indices, flips),
            epoch_of=balanced,
        )


@pytest.mark.parametrize(
    ("trainable", "killed_after"), [("head", 1), ("head", 4), ("head", 6), ("all", 3)]
)
def test_a_round_that_was_killed_ends_with_the_bytes_of_an_undisturbed_one(
    tmp_path: Path, trainable: Trainable, killed_after: int
) -> None:
    settings = small_settings(trainable, local_epochs=3)  # of two steps each
    undisturbed = train(trainable, settings)
    steps: list[int] = []

    def train_until(last: int) -> TrainOutcome:
        def tell(done: int, total: int) -> None:
            assert total == 6
            steps.append(done)
            if done == last:
                raise Interrupted

        return Trainer(small_network(trainable), settings).train_round(
            start(trainable),
            labels=LABELS,
            activations_of=drawn(trainable),
            epoch_of=balanced,
            draft=Draft(tmp_path / "round.safetensors", "round 1", every_s=3600),
            progress=tell,
        )

    with pytest.raises(Interrupted):
        train_until(killed_after)
    train(trainable, small_settings(trainable))  # something else with the same network
    outcome = train_until(99)

    assert digest(outcome.arrays) == digest(undisturbed.arrays)
    assert (outcome.loss, outcome.accuracy) == (undisturbed.loss, undisturbed.accuracy)
    assert steps == [1, 2, 3, 4, 5, 6]  # no step was taken twice


def test_a_round_that_counts_steps_goes_on_where_it_was_killed(tmp_path: Path) -> None:
    settings = small_settings("head", local_steps=5)
    undisturbed = train("head", settings)

    def train_until(last: int) -> TrainOutcome:
        def tell(done: int, total: int) -> None:
            if done == last:
                raise Interrupted

        return Trainer(small_network("head"), settings).train_round(
            start("head"),
            labels=LABELS,
            activations_of=drawn("head"),
            epoch_of=balanced,
            draft=Draft(tmp_path / "round.safetensors", "round 1", every_s=0),
            progress=tell,
        )

    for last in (2, 4, 5):
        with pytest.raises(Interrupted):
            train_until(last)

    assert digest(train_until(99).arrays) == digest(undisturbed.arrays)


def test_a_heartbeat_in_another_thread_is_not_starved_by_training() -> None:
    gaps: list[float] = []
    done = Event()

    def beat() -> None:
        last = time.monotonic()
        while not done.wait(0.01):
            gaps.append(time.monotonic() - last)
            last = time.monotonic()

    heart = Thread(target=beat)
    heart.start()
    train("all", small_settings("all", local_steps=3))
    done.set()
    heart.join(10)

    # The coordinator gives a site up after 60 s without a heartbeat. With the full model at the
    # paper's 512 x 512 pixels (a step of 80 s on two busy cores) the longest gap was 0.6 s.
    assert max(gaps) < 10
