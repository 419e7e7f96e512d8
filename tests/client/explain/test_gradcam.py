"""Closed-form Grad-CAM against a hand-worked case and against the gradient that Keras computes."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from bs_client.explain.gradcam import grad_cam
from bs_common.architecture import NamedArrays
from support.small_network import drawn_images, reference_network, small_network, start

pytestmark = pytest.mark.usefixtures("device")

# Two channels of 2 x 2 cells and a head of two hidden units. The pooled features are (4, 2), the
# hidden units 4 - 1 = 3 (on) and 2 - 9 = -7 (off), so that only channel 0 has a weight.
CELLS = np.array([[[[1, 2], [4, 0]], [[0, 1], [2, 0]]]], np.float32)  # (1, 2, 2, 2)
HEAD: NamedArrays = {
    "head_hidden/kernel": np.eye(2, dtype=np.float32),
    "head_hidden/bias": np.array([-1, -9], np.float32),
    "head_output/kernel": np.array([[-1, 2], [5, 7]], np.float32),
    "head_output/bias": np.zeros(2, np.float32),
}


def test_a_map_worked_by_hand() -> None:
    # dS/dg = (2 - -1, 0) = (3, 0): the map is channel 0 divided by its maximum of 4.
    np.testing.assert_allclose(grad_cam(CELLS, HEAD), [[[0.25, 1.0], [0.0, 0.5]]])


def test_a_scan_without_evidence_for_metastasis_has_a_blank_map() -> None:
    against = HEAD | {"head_output/kernel": -HEAD["head_output/kernel"]}

    assert not grad_cam(CELLS, against).any()


def test_each_scan_is_divided_by_its_own_maximum() -> None:
    maps = grad_cam(np.concatenate([CELLS, 10 * CELLS]), HEAD)

    assert maps.max(axis=(1, 2)).tolist() == [1.0, 1.0]


def test_a_positive_factor_on_the_output_layer_changes_no_map() -> None:
    doubled = HEAD | {"head_output/kernel": 2 * HEAD["head_output/kernel"]}

    np.testing.assert_array_equal(grad_cam(CELLS, doubled), grad_cam(CELLS, HEAD))


def taped_margin_maps(model: keras.Model, images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Grad-CAM of the margin with automatic differentiation, each map divided by its maximum.

    The margin is the difference of what enters the softmax.
    """
    output = model.get_layer("head_output")
    tap = keras.Model(
        model.input,
        [model.get_layer("block5_conv3").output, model.get_layer("head_hidden").output],
    )
    with tf.GradientTape() as tape:
        convolution, hidden = tap(images)
        logits = hidden @ output.kernel + output.bias
        margin = logits[:, 1] - logits[:, 0]
    weights = tf.reduce_mean(tape.gradient(margin, convolution), axis=(1, 2), keepdims=True)
    maps = np.maximum(tf.reduce_sum(weights * convolution, axis=-1).numpy(), 0)
    peaks: NDArray[np.float32] = maps.max(axis=(1, 2), keepdims=True)
    normalised: NDArray[np.float32] = maps / peaks
    return normalised


@pytest.mark.slow
@pytest.mark.parametrize("factor", [1.0, 1e4], ids=["as drawn", "saturated"])
def test_the_closed_form_is_the_gradient_of_the_margin(factor: float) -> None:
    images, arrays = drawn_images(3), start("head")
    arrays["head_output/kernel"] *= np.float32(factor)
    arrays["head_output/kernel"][:, 1] += np.float32(0.01 * factor)  # towards metastasis
    network, reference = small_network("head"), reference_network(arrays)
    network.set_arrays(arrays)

    convolution, margins = network.explain(images)
    maps = grad_cam(convolution, arrays)

    assert (margins > 0).all()
    saturated = (reference.predict(images, verbose=0)[:, 1] == 1.0).all()
    assert saturated == (factor > 1)
    np.testing.assert_allclose(maps, taped_margin_maps(reference, images), atol=1e-5)
