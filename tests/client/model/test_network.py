"""The network against Keras' own VGG16, and its cut into trunk and branch."""

from __future__ import annotations

from typing import get_args

import keras
import numpy as np
import pytest
from scipy.special import expit

from bs_common.architecture import Trainable, array_shapes, parameter_count
from bs_common.weights import digest
from support.small_network import drawn_images, reference_network, small_network, start

pytestmark = [pytest.mark.usefixtures("device"), pytest.mark.slow]

SCOPES = get_args(Trainable)


@pytest.fixture(scope="module")
def reference() -> keras.Model:
    return reference_network(start("all"))


def test_the_whole_network_has_the_papers_number_of_parameters(reference: keras.Model) -> None:
    network = small_network("head")

    assert network.count_parameters() == 14_978_370
    assert network.count_parameters() == reference.count_params() == parameter_count("all")


@pytest.mark.parametrize("trainable", SCOPES)
def test_what_travels_is_what_the_contract_names(trainable: Trainable) -> None:
    arrays = small_network(trainable).get_arrays()

    found = [(name, array.shape) for name, array in arrays.items()]
    assert found == list(array_shapes(trainable).items())
    assert {array.dtype for array in arrays.values()} == {np.dtype(np.float32)}


@pytest.mark.parametrize("trainable", SCOPES)
def test_weights_put_in_come_out_to_the_bit(trainable: Trainable) -> None:
    network = small_network(trainable)
    draw = np.random.default_rng(0)
    arrays = {
        name: draw.standard_normal(shape, np.float32) * np.float32(0.01)
        for name, shape in array_shapes(trainable).items()
    }
    before = network.get_arrays()

    network.set_arrays(arrays)
    after = network.get_arrays()
    network.set_arrays(before)

    assert digest(after) == digest(arrays)


@pytest.mark.parametrize("trainable", SCOPES)
def test_trunk_and_branch_together_are_the_papers_network(
    trainable: Trainable, reference: keras.Model
) -> None:
    network, images = small_network(trainable), drawn_images(3)
    network.set_arrays(start(trainable))

    margins = network.score(network.activate(images))

    expected = reference.predict(images, verbose=0)[:, 1]
    np.testing.assert_allclose(expit(margins), expected, rtol=1e-5)
    assert np.ptp(margins) > 1e-4  # the three scans are told apart


@pytest.mark.parametrize("trainable", SCOPES)
def test_a_scans_score_does_not_depend_on_its_neighbours(trainable: Trainable) -> None:
    network, images = small_network(trainable), drawn_images(9)  # more than one batch of 8
    network.set_arrays(start(trainable))

    together = network.score(network.activate(images))
    alone = [network.score(network.activate(images[i : i + 1]))[0] for i in range(9)]

    assert together.tolist() == alone


@pytest.mark.parametrize("trainable", SCOPES)
def test_one_pass_gives_the_last_convolution_and_the_same_score(
    trainable: Trainable, reference: keras.Model
) -> None:
    network, images = small_network(trainable), drawn_images(2)
    network.set_arrays(start(trainable))
    tap = keras.Model(reference.input, reference.get_layer("block5_conv3").output)

    convolution, margins = network.explain(images)

    assert convolution.shape == (2, 4, 4, 512)
    np.testing.assert_allclose(convolution, tap.predict(images, verbose=0), rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(margins, network.score(network.activate(images)), rtol=1e-4)
