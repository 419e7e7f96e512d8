"""One scan as the network sees it, and maps of the network put back on it.

The paper fixes 512 x 256 pixels a view, [0, 1] by minimum and maximum, the views side by side and
three equal channels. It leaves open the order; the minimum and maximum are taken of each view
after resizing, so that every input reaches 0 and 1 exactly. The `robust` profile does the same
after clipping each view at its 99.9th percentile, `robust-sqrt` takes the square root of that.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bs_client.data.resize import resize
from bs_common.errors import DataError
from bs_common.settings import Preprocessing

Image = NDArray[np.float32]
Shape = tuple[int, int]

CHANNELS = 3  # VGG16 was made for colour pictures; all three hold the same
# One pixel in a thousand: 131 of 512 x 256, about the size of a full bladder. Hot urine alone may
# be forty times as bright as bone, which then lies in the lowest 3 % of the range.
CLIP_PERCENTILE = 99.9


@dataclass(frozen=True, slots=True)
class Geometry:
    """How large the two views were, (rows, columns) each, and what was turned.

    posterior_mirrored : whether the posterior view was mirrored after reading, as a site's setting
        allows; what is drawn in the stored matrix, such as a mask, is mirrored along.
    """

    anterior_shape: Shape
    posterior_shape: Shape
    posterior_mirrored: bool = False

    def to_native(self, network_map: Image) -> tuple[Image, Image]:
        """Cut a map over the network input into the two views and resize each to its scan.

        Parameters
        ----------
        network_map : (rows, columns), columns even, of any resolution over the whole unflipped
            input, such as a 32 x 32 Grad-CAM; turn the map of a flipped input back first.

        Returns
        -------
        anterior_map, posterior_map : float32 in the views' native shapes, bilinear where larger.

        Raises
        ------
        ValueError
            The map has an odd number of columns, so that no cut lies between the views.
        """
        width = network_map.shape[1]
        if width % 2:
            raise ValueError(f"a map of {width} columns, expected an even number for two views")
        half = width // 2
        return (
            resize(network_map[:, :half], *self.anterior_shape),
            resize(network_map[:, half:], *self.posterior_shape),
        )


@dataclass(frozen=True, slots=True, eq=False)
class NetworkInput:
    """Both views for the network.

    image : (height, 2 * width) float32 in [0, 1]; the anterior view left, the posterior right.
    """

    image: Image
    geometry: Geometry


def prepare(
    anterior_counts: Image,
    posterior_counts: Image,
    *,
    height: int,
    width: int,
    profile: Preprocessing,
) -> NetworkInput:
    """Turn the two count images of a scan into one network input.

    Parameters
    ----------
    anterior_counts, posterior_counts : (rows, columns) float32, counts per pixel, head first; the
        shapes may differ, and each is stretched to (height, width) as in the paper.
    profile : "paper" maps each view's minimum and maximum to 0 and 1; "robust" clips the view at
        its 99.9th percentile before; "robust-sqrt" gives the square root of what "robust" gives.

    Raises
    ------
    DataError
        A view is constant or holds a value that is not finite.
    """
    views = [
        _scale(resize(counts, height, width), name, profile)
        for name, counts in (("anterior", anterior_counts), ("posterior", posterior_counts))
    ]
    geometry = Geometry(_shape(anterior_counts), _shape(posterior_counts))
    return NetworkInput(np.concatenate(views, axis=1), geometry)


def _scale(view: Image, name: str, profile: Preprocessing) -> Image:
    """Map the view's minimum to 0 and its maximum, or what it is clipped at, to 1."""
    lowest, highest = view.min(), view.max()
    # NaN fails this comparison too; infinite counts give an infinite range.
    if not 0 < highest - lowest < np.inf:
        raise DataError(
            f"the {name} view has values from {lowest} to {highest}, expected a finite range",
            remedy="Export the study again; a view without contrast is not a scan.",
        )
    if profile != "paper":
        ceiling = np.float32(np.percentile(view, CLIP_PERCENTILE))
        # With less than a thousandth of the pixels lit there is no contrast below the percentile.
        highest = ceiling if ceiling > lowest else highest
    scaled = np.asarray((np.minimum(view, highest) - lowest) / (highest - lowest), np.float32)
    # Of values from 0 to 1, so that the ends stay where they are.
    return np.sqrt(scaled) if profile == "robust-sqrt" else scaled


def _shape(counts: Image) -> Shape:
    rows, columns = counts.shape
    return rows, columns


def flip(images: Image) -> Image:
    """Flip along the vertical axis: the views change sides and each is mirrored (the paper's).

    images : (..., height, 2 * width); applied twice it changes nothing.
    """
    return np.ascontiguousarray(images[..., ::-1])


def as_channels(images: Image) -> Image:
    """Repeat (N, height, 2 * width) images as (N, height, 2 * width, 3) for VGG16."""
    return np.repeat(images[..., np.newaxis], CHANNELS, axis=-1)
