"""Resizing a count image or a map exactly and the same on every machine, as two small matrices.

An axis that shrinks takes area-weighted means (no count is skipped), one that grows is
interpolated linearly; neither makes values outside the range of the input.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]
Matrix = NDArray[np.float64]


def resize(image: NDArray[np.floating], height: int, width: int) -> Image:
    """Resample an image to (height, width).

    Parameters
    ----------
    image : (rows, columns), neither 0; any unit. A NaN spreads over the output.
    height, width : pixels of the result, >= 1.

    Returns
    -------
    resized : (height, width) float32. Shrinking keeps the mean; a constant stays constant; an
        equal size changes nothing. The sums are formed in float64.
    """
    rows, columns = image.shape
    resized = np.asarray(image, np.float64)
    if rows != height:
        resized = axis_matrix(rows, height) @ resized  # (height, columns)
    if columns != width:
        resized = resized @ axis_matrix(columns, width).T  # (height, width)
    return resized.astype(np.float32)


@lru_cache(maxsize=64)
def axis_matrix(size: int, target: int) -> Matrix:
    """Give the (target, size) matrix that resamples one axis; each row sums to 1, read-only."""
    matrix = _area_matrix(size, target) if target < size else _linear_matrix(size, target)
    matrix.setflags(write=False)
    return matrix


def _area_matrix(size: int, target: int) -> Matrix:
    """Weight each input pixel by the share of the output pixel that it covers."""
    # In units of 1/target of an input pixel every edge is a whole number: the overlap is exact.
    start = np.arange(target)[:, None] * size  # (target, 1)
    pixel = np.arange(size)[None, :] * target  # (1, size)
    overlap = np.minimum(start + size, pixel + target) - np.maximum(start, pixel)
    shares: Matrix = np.clip(overlap, 0, None) / size
    return shares


def _linear_matrix(size: int, target: int) -> Matrix:
    """Interpolate between the two nearest pixel centres (at half-integers), clamped at the edge."""
    place = np.clip((np.arange(target) + 0.5) * size / target - 0.5, 0, size - 1)
    before = np.floor(place).astype(int)
    after = np.minimum(before + 1, size - 1)
    share = place - before
    matrix = np.zeros((target, size))
    np.add.at(matrix, (np.arange(target), before), 1 - share)
    np.add.at(matrix, (np.arange(target), after), share)
    return matrix
