from typing import get_args

import numpy as np
import pytest
from numpy.typing import NDArray

from bs_client.data.preprocess import Geometry, as_channels, flip, prepare
from bs_client.data.resize import resize
from bs_common.errors import DataError
from bs_common.settings import Preprocessing

Counts = NDArray[np.float32]
PAPER_AND_ROBUST: tuple[Preprocessing, ...] = ("paper", "robust")
ROBUST_AND_ROOT: tuple[Preprocessing, ...] = ("robust", "robust-sqrt")


def random_counts(rows: int, columns: int, *, seed: int = 0) -> Counts:
    return np.random.default_rng(seed).poisson(20, (rows, columns)).astype(np.float32)


def test_the_anterior_view_stands_left_and_the_posterior_right() -> None:
    anterior, posterior = random_counts(64, 16, seed=1), random_counts(32, 16, seed=2)

    image = prepare(anterior, posterior, height=32, width=16, profile="paper").image

    assert image.shape == (32, 32)
    assert image.dtype == np.float32
    for half, view in ((image[:, :16], anterior), (image[:, 16:], posterior)):
        resized = resize(view, 32, 16)
        expected = (resized - resized.min()) / (resized.max() - resized.min())
        np.testing.assert_array_equal(half, expected)


def test_each_view_reaches_zero_and_one_exactly_after_resizing() -> None:
    anterior, posterior = random_counts(100, 40), 50 * random_counts(90, 33)

    image = prepare(anterior, posterior, height=32, width=32, profile="paper").image

    for half in (image[:, :32], image[:, 32:]):
        assert half.min() == 0
        assert half.max() == 1


def test_exposure_and_background_of_a_view_do_not_matter() -> None:
    view = random_counts(64, 32)

    plain = prepare(view, view, height=32, width=32, profile="paper").image
    exposed = prepare(view, 4 * view + 8, height=32, width=32, profile="paper").image

    np.testing.assert_allclose(plain, exposed, atol=1e-6)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("profile", get_args(Preprocessing))
def test_values_that_are_no_numbers_are_refused(value: float, profile: Preprocessing) -> None:
    view = random_counts(64, 32)
    broken = view.copy()
    broken[3, 4] = value

    with np.errstate(invalid="ignore"), pytest.raises(DataError, match="posterior view"):
        prepare(view, broken, height=64, width=32, profile=profile)


def test_a_constant_view_is_refused() -> None:
    view = random_counts(64, 32)

    with pytest.raises(DataError, match=r"anterior view has values from 3\.0 to 3\.0") as caught:
        prepare(np.full_like(view, 3), view, height=32, width=32, profile="paper")
    assert caught.value.remedy


def test_the_robust_profile_clips_at_the_hottest_thousandth_of_a_view() -> None:
    # 1000 pixels of 0 to 999 and 24 hot ones: the percentile 99.9 lies between two hot pixels,
    # at place 0.999 x 1023 = 1021.977 from 0, and all above it become 1.
    ramp = np.arange(1024, dtype=np.float32)
    ramp[1000:] = 10_000 * np.arange(1, 25)
    view = ramp.reshape(32, 32)
    ceiling = 220_000 + 0.977 * 10_000

    image = prepare(view, view, height=32, width=32, profile="robust").image

    expected = np.minimum(view, ceiling) / ceiling
    np.testing.assert_allclose(image[:, :32], expected, rtol=1e-5)
    assert np.count_nonzero(image[:, :32] == 1) == 2


def test_one_hot_spot_darkens_the_paper_profile_and_not_the_robust_one() -> None:
    cold = random_counts(64, 32)
    hot = cold.copy()
    hot[60, 16] = 5000

    paper, robust = (
        prepare(cold, hot, height=64, width=32, profile=profile).image[:, 32:]
        for profile in PAPER_AND_ROBUST
    )

    assert np.median(paper) < 0.01
    assert np.median(robust) > 0.3


def test_the_square_root_profile_is_the_root_of_the_robust_one() -> None:
    counts = np.random.default_rng(3).poisson(20, (64, 32)).astype(np.float32)

    robust, root = (
        prepare(counts, counts, height=64, width=32, profile=profile).image
        for profile in ROBUST_AND_ROOT
    )

    np.testing.assert_allclose(root**2, robust, atol=1e-6)
    assert (root.min(), root.max()) == (0, 1)


def test_maps_go_back_to_native_pixels_alike_for_every_profile() -> None:
    counts = np.random.default_rng(3).poisson(20, (100, 40)).astype(np.float32)

    geometries = {
        prepare(counts, counts, height=64, width=32, profile=profile).geometry
        for profile in get_args(Preprocessing)
    }

    assert geometries == {Geometry((100, 40), (100, 40))}


def test_both_profiles_order_the_pixels_below_the_ceiling_alike() -> None:
    view = random_counts(64, 32)

    paper, robust = (
        prepare(view, view, height=64, width=32, profile=profile).image
        for profile in PAPER_AND_ROBUST
    )

    below = robust < 1
    scale = paper[below] / np.where(robust[below] == 0, 1, robust[below])
    np.testing.assert_allclose(scale[robust[below] > 0], scale.max(), rtol=1e-5)


def test_a_view_with_next_to_nothing_lit_is_scaled_without_clipping() -> None:
    view = np.zeros((64, 32), np.float32)
    view[10, 10] = 60_000

    image = prepare(view, view, height=64, width=32, profile="robust").image

    assert np.count_nonzero(image) == 2
    assert image.max() == 1


def test_flipping_changes_the_sides_and_mirrors_each_view() -> None:
    image = prepare(
        random_counts(64, 32), random_counts(64, 32, seed=1), height=32, width=32, profile="paper"
    ).image

    flipped = flip(image)

    np.testing.assert_array_equal(flipped, np.fliplr(image))
    np.testing.assert_array_equal(flipped[:, :32], np.fliplr(image[:, 32:]))


def test_a_batch_is_flipped_image_by_image() -> None:
    images = np.stack([random_counts(8, 8, seed=seed) for seed in range(3)])

    np.testing.assert_array_equal(flip(images)[1], np.fliplr(images[1]))


def test_the_three_channels_hold_the_same() -> None:
    images = np.stack([random_counts(8, 16), random_counts(8, 16, seed=1)])

    channels = as_channels(images)

    assert channels.shape == (2, 8, 16, 3)
    assert channels.dtype == np.float32
    for channel in range(3):
        np.testing.assert_array_equal(channels[..., channel], images)


@pytest.mark.parametrize("shape", [(1024, 256), (1024, 512), (300, 90)])
@pytest.mark.parametrize(("row", "column"), [(0.1, 0.2), (0.5, 0.9), (0.97, 0.5)])
def test_a_spot_on_a_scan_comes_back_within_a_network_pixel(
    shape: tuple[int, int], row: float, column: float
) -> None:
    spot = int(row * shape[0]), int(column * shape[1])
    anterior = random_counts(*shape)
    anterior[spot] = 10_000
    prepared = prepare(anterior, random_counts(64, 32), height=512, width=256, profile="paper")

    anterior_map, posterior_map = prepared.geometry.to_native(prepared.image)

    assert anterior_map.shape == shape
    assert posterior_map.shape == (64, 32)
    found = np.unravel_index(anterior_map.argmax(), shape)
    assert abs(found[0] - spot[0]) <= max(1, shape[0] / 512)
    assert abs(found[1] - spot[1]) <= max(1, shape[1] / 256)


@pytest.mark.parametrize(("cell_row", "cell_column"), [(0, 0), (5, 3), (15, 7)])
def test_a_coarse_maps_peak_lies_over_the_middle_of_its_cell(
    cell_row: int, cell_column: int
) -> None:
    # 16 x 16 cells over 512 x 512: each half has 16 x 8 cells of 64 x 32 native pixels.
    network_map = np.zeros((16, 16), np.float32)
    network_map[cell_row, 8 + cell_column] = 1

    anterior_map, posterior_map = Geometry((1024, 256), (1024, 256)).to_native(network_map)

    assert anterior_map.max() == 0
    weight = posterior_map / posterior_map.sum()
    rows, columns = np.arange(1024) + 0.5, np.arange(256) + 0.5
    assert weight.sum(axis=1) @ rows == pytest.approx(64 * (cell_row + 0.5), abs=16)
    assert weight.sum(axis=0) @ columns == pytest.approx(32 * (cell_column + 0.5), abs=8)
    peak = np.argwhere(posterior_map == posterior_map.max())
    assert (peak // (64, 32) == (cell_row, cell_column)).all()


def test_a_map_is_not_smeared_across_the_border_of_the_views() -> None:
    network_map = np.concatenate([np.ones((4, 2)), np.zeros((4, 2))], axis=1).astype(np.float32)

    anterior_map, posterior_map = Geometry((64, 32), (64, 48)).to_native(network_map)

    assert (anterior_map == 1).all()
    assert (posterior_map == 0).all()


def test_a_map_that_cannot_be_halved_is_refused() -> None:
    with pytest.raises(ValueError, match="even number"):
        Geometry((64, 32), (64, 32)).to_native(np.zeros((16, 15), np.float32))
