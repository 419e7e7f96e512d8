import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as PillowImage

from bs_client.data.resize import axis_matrix, resize

sizes = st.integers(1, 40)


def random_counts(rows: int, columns: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return np.random.default_rng(rows * 1000 + columns).poisson(20, (rows, columns)).astype("f4")


def test_an_integer_factor_is_the_block_mean() -> None:
    counts = random_counts(24, 12)

    shrunk = resize(counts, 8, 6)

    np.testing.assert_allclose(shrunk, counts.reshape(8, 3, 6, 2).mean(axis=(1, 3)), rtol=1e-6)


def test_a_broken_factor_weights_by_the_covered_area() -> None:
    # Each of two output pixels covers one and a half of three input pixels.
    shrunk = resize(np.array([[3.0, 6.0, 12.0]], np.float32), 1, 2)

    np.testing.assert_allclose(shrunk, [[(3 + 6 / 2) / 1.5, (6 / 2 + 12) / 1.5]])


@given(sizes, sizes, sizes, sizes)
def test_shrinking_keeps_the_mean(rows: int, columns: int, height: int, width: int) -> None:
    counts = random_counts(rows, columns)

    shrunk = resize(counts, min(height, rows), min(width, columns))

    assert shrunk.mean(dtype=float) == pytest.approx(counts.mean(dtype=float), rel=1e-6)


@given(sizes, sizes, sizes, sizes, st.floats(0, 1e6, width=32))
def test_a_constant_stays_that_constant(
    rows: int, columns: int, height: int, width: int, value: float
) -> None:
    resized = resize(np.full((rows, columns), value, np.float32), height, width)

    np.testing.assert_array_equal(resized, np.full((height, width), value, np.float32))


@given(sizes, sizes, sizes, sizes)
def test_no_value_leaves_the_range_of_the_input(
    rows: int, columns: int, height: int, width: int
) -> None:
    counts = random_counts(rows, columns)

    resized = resize(counts, height, width)

    assert counts.min() <= resized.min()
    assert resized.max() <= counts.max()


@pytest.mark.parametrize(("rows", "columns"), [(16, 8), (7, 5), (1, 3)])
def test_growing_is_pillows_bilinear(rows: int, columns: int) -> None:
    counts = random_counts(rows, columns)

    grown = resize(counts, 61, 33)

    picture = PillowImage.fromarray(counts).resize((33, 61), PillowImage.Resampling.BILINEAR)
    np.testing.assert_allclose(grown, np.asarray(picture), rtol=1e-5)


@pytest.mark.parametrize(("height", "width"), [(10, 9), (13, 1), (17, 11)])
def test_shrinking_is_the_block_mean_of_the_image_cut_into_equal_crumbs(
    height: int, width: int
) -> None:
    # Cutting each pixel into (height, width) equal parts makes any factor a whole number.
    counts = random_counts(18, 12)
    crumbs = counts.repeat(height, axis=0).repeat(width, axis=1).astype(float)

    shrunk = resize(counts, height, width)

    blocks = crumbs.reshape(height, 18, width, 12)
    np.testing.assert_allclose(shrunk, blocks.mean(axis=(1, 3)), rtol=1e-6)


def test_one_axis_may_shrink_while_the_other_grows() -> None:
    counts = random_counts(12, 4)

    both = resize(counts, 6, 8)

    np.testing.assert_allclose(both, resize(resize(counts, 6, 4), 6, 8), rtol=1e-6)


def test_an_equal_size_changes_nothing() -> None:
    counts = random_counts(9, 7)

    np.testing.assert_array_equal(resize(counts, 9, 7), counts)


def test_resizing_and_mirroring_can_change_places() -> None:
    counts = random_counts(30, 20)

    np.testing.assert_allclose(
        resize(counts[:, ::-1], 13, 31), resize(counts, 13, 31)[:, ::-1], rtol=1e-6
    )


@given(sizes, sizes)
def test_weights_are_shares(size: int, target: int) -> None:
    matrix = axis_matrix(size, target)

    assert matrix.shape == (target, size)
    assert matrix.min() >= 0
    np.testing.assert_allclose(matrix.sum(axis=1), 1, rtol=1e-12)


def test_a_kept_matrix_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        axis_matrix(8, 4)[0, 0] = 5
