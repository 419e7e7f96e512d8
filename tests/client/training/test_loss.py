"""The validation loss against Keras' own, and where that would overflow."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from bs_client.training.loss import cross_entropy

pytestmark = pytest.mark.usefixtures("device")


def test_it_is_the_categorical_cross_entropy_of_keras() -> None:
    draw = np.random.default_rng(4)
    logits, labels = draw.normal(0, 3, (40, 2)), draw.random(40) < 0.4
    oracle = keras.losses.CategoricalCrossentropy(from_logits=True)
    expected = float(oracle(np.eye(2)[labels.astype(int)], logits))

    assert cross_entropy(logits[:, 1] - logits[:, 0], labels) == pytest.approx(expected, rel=1e-6)


def test_an_undecided_scan_costs_the_logarithm_of_two() -> None:
    assert cross_entropy(np.zeros(3), np.array([True, False, True])) == pytest.approx(np.log(2))


def test_a_scan_that_is_wrong_by_far_costs_its_margin() -> None:
    assert cross_entropy(np.array([5000.0]), np.array([False])) == 5000.0
