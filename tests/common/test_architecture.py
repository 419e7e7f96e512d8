"""The network as names and shapes: VGG16 (Simonyan and Zisserman 2015) and a small head."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bs_common.architecture import (
    Trainable,
    array_shapes,
    backbone_shapes,
    head_shapes,
    initial_head,
    parameter_count,
)


def test_the_convolutions_have_as_many_parameters_as_keras_states_for_vgg16() -> None:
    counted = sum(math.prod(shape) for shape in backbone_shapes().values())

    assert counted == 14_714_688  # keras.applications.VGG16(include_top=False)


@pytest.mark.parametrize(
    ("trainable", "expected"),
    # 512 x 512 + 512 + 512 x 2 + 2; and three 3 x 3 convolutions of 512 to 512 channels more.
    [("head", 263_682), ("block5", 263_682 + 3 * (9 * 512 * 512 + 512)), ("all", 14_978_370)],
)
def test_each_scope_has_its_number_of_parameters(trainable: Trainable, expected: int) -> None:
    assert parameter_count(trainable) == expected


def test_the_backbone_is_thirteen_convolutions_in_forward_order() -> None:
    names = list(backbone_shapes())

    assert len(names) == 26
    assert names[:2] == ["block1_conv1/kernel", "block1_conv1/bias"]
    assert names[-1] == "block5_conv3/bias"


def test_a_convolution_takes_the_channels_that_the_one_before_gives() -> None:
    kernels = [shape for shape in backbone_shapes().values() if len(shape) == 4]

    assert kernels[0][2] == 3
    assert [shape[3] for shape in kernels[:-1]] == [shape[2] for shape in kernels[1:]]


def test_a_narrower_scope_is_the_end_of_a_wider_one() -> None:
    wide, middle, narrow = (list(array_shapes(scope)) for scope in ("all", "block5", "head"))

    assert wide[-len(middle) :] == middle
    assert middle[-len(narrow) :] == narrow
    assert narrow == list(head_shapes())


def test_a_later_block_alone_keeps_its_incoming_channels() -> None:
    assert backbone_shapes(blocks=("block5",))["block5_conv1/kernel"] == (3, 3, 512, 512)


def test_the_head_starts_glorot_uniform_with_zero_biases() -> None:
    head = initial_head(7)

    for name, array in head.items():
        assert array.dtype == np.float32
        if name.endswith("bias"):
            assert not array.any()
            continue
        limit = math.sqrt(6 / sum(array.shape))
        assert np.abs(array).max() <= limit
        # A uniform draw on [-a, a] has the variance a^2 / 3; 1024 draws leave it within 10 %.
        assert array.var() == pytest.approx(limit**2 / 3, rel=0.1)


def test_the_head_is_drawn_from_the_seed_alone() -> None:
    first, again, other = initial_head(7), initial_head(7), initial_head(8)

    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["head_hidden/kernel"], other["head_hidden/kernel"])
