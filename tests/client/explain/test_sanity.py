"""Sanity checks flag maps that do not depend on the model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import spearmanr
from skimage import metrics

from bs_client.explain.gradcam import Maps, grad_cam
from bs_client.explain.sanity import GROUPS, SURVIVES, cascade, compare_maps, ssim
from bs_common.architecture import CONVOLUTIONS, NamedArrays

RNG = np.random.default_rng(2)
IMAGES = RNG.random((5, 32, 32), np.float32)
CHANNELS = 24


def tiny_weights(seed: int) -> NamedArrays:
    """A convolution of single pixels and a head, named as the study's own."""
    draw = np.random.default_rng(seed)
    shapes = {
        "block5_conv3/kernel": (9, CHANNELS),
        "head_hidden/kernel": (CHANNELS, 16),
        "head_hidden/bias": (16,),
        "head_output/kernel": (16, 2),
        "head_output/bias": (2,),
    }
    return {name: draw.normal(0, 1, shape).astype(np.float32) for name, shape in shapes.items()}


def neighbourhoods(images: NDArray[np.float32]) -> NDArray[np.float32]:
    moved = [np.roll(images, (r, c), (1, 2)) for r in (-1, 0, 1) for c in (-1, 0, 1)]
    return np.stack(moved, axis=-1) - 0.5


def honest_maps(weights: NamedArrays) -> Maps:
    activations = np.maximum(neighbourhoods(IMAGES) @ weights["block5_conv3/kernel"], 0)
    return grad_cam(activations, weights)


def broken_maps(_weights: NamedArrays) -> Maps:
    """What an edge detector draws: the picture alone."""
    rows, columns = np.gradient(IMAGES, axis=(1, 2))
    edges = np.abs(rows) + np.abs(columns)
    scaled: Maps = (edges / edges.max(axis=(1, 2), keepdims=True)).astype(np.float32)
    return scaled


def half_broken_maps(weights: NamedArrays) -> Maps:
    """A map whose error is plain to see, with a little of the model mixed in."""
    mixed = broken_maps(weights) + 0.1 * honest_maps(weights)
    scaled: Maps = (mixed / mixed.max(axis=(1, 2), keepdims=True)).astype(np.float32)
    return scaled


LAYERS = ("head_output", "head_hidden", "block5")


def test_an_honest_map_changes() -> None:
    steps = cascade(honest_maps, tiny_weights(0), groups=LAYERS, seed=1, draws=6)

    assert [step.group for step in steps] == list(LAYERS)
    assert not steps[-1].likeness.survives
    assert steps[-1].likeness.ssim < 0.9


@pytest.mark.parametrize("maps", [broken_maps, half_broken_maps])
def test_a_map_that_the_picture_draws_is_flagged(maps: object) -> None:
    assert callable(maps)

    steps = cascade(maps, tiny_weights(0), groups=LAYERS, seed=1, draws=2)

    assert steps[-1].likeness.survives
    assert steps[-1].likeness.spearman > 0.9 > SURVIVES


def test_weights_are_drawn_from_the_output_downwards() -> None:
    seen: list[NamedArrays] = []
    weights = tiny_weights(0)

    def record(arrays: NamedArrays) -> Maps:
        seen.append(dict(arrays))
        return honest_maps(arrays)

    cascade(record, weights, groups=LAYERS, seed=1, draws=1)

    changed = [
        {name for name in weights if not np.array_equal(arrays[name], weights[name])}
        for arrays in seen
    ]
    output = {"head_output/kernel", "head_output/bias"}
    hidden = output | {"head_hidden/kernel", "head_hidden/bias"}
    assert changed == [set(), output, hidden, hidden | {"block5_conv3/kernel"}]
    assert not seen[-1]["head_hidden/bias"].any()


def test_the_trained_weights_are_not_touched_and_draws_repeat() -> None:
    weights = tiny_weights(0)
    kept = {name: array.copy() for name, array in weights.items()}

    first = cascade(honest_maps, weights, groups=LAYERS, seed=1, draws=2)

    assert first == cascade(honest_maps, weights, groups=LAYERS, seed=1, draws=2)
    assert all(np.array_equal(weights[name], kept[name]) for name in weights)


def test_every_layer_of_the_network_belongs_to_one_group() -> None:
    layers = [f"{block}_conv{n}" for block, f in CONVOLUTIONS.items() for n in range(1, len(f) + 1)]

    for layer in (*layers, "head_hidden", "head_output"):
        assert sum(layer.startswith(group) for group in GROUPS) == 1


@pytest.mark.parametrize("shape", [(32, 32), (16, 9), (8, 8)])
def test_structural_similarity_is_that_of_scikit_image(shape: tuple[int, int]) -> None:
    one = RNG.random(shape).astype(np.float32)
    other = np.clip(one + RNG.normal(0, 0.2, shape), 0, 1).astype(np.float32)

    structural_similarity: Any = metrics.structural_similarity
    expected = structural_similarity(one.astype(float), other.astype(float), data_range=1.0)

    assert ssim(one, other) == pytest.approx(expected, abs=1e-9)


def test_a_map_is_like_itself() -> None:
    found = compare_maps(IMAGES, IMAGES)

    assert (found.spearman, found.ssim) == pytest.approx((1, 1))


def test_likeness_is_the_mean_over_scans() -> None:
    other = RNG.random(IMAGES.shape, np.float32)

    found = compare_maps(IMAGES, other)

    pairs = zip(IMAGES, other, strict=True)
    expected = np.mean([spearmanr(a.ravel(), b.ravel()).statistic for a, b in pairs])
    assert found.spearman == pytest.approx(expected)


def test_a_blank_map_is_like_nothing() -> None:
    assert compare_maps(IMAGES, np.zeros_like(IMAGES)).spearman == 0


def test_a_common_blank_background_makes_no_likeness() -> None:
    one, other = np.zeros((2, 1, 16, 16), np.float32)
    one[0, 4:8, 4:8] = RNG.random((4, 4))
    other[0, 4:8, 4:8] = RNG.random((4, 4))

    found = compare_maps(one, other)

    expected = spearmanr(one[0, 4:8, 4:8].ravel(), other[0, 4:8, 4:8].ravel()).statistic
    assert found.spearman == pytest.approx(expected)
    assert spearmanr(one.ravel(), other.ravel()).statistic > 0.9
