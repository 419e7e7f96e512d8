"""Regions drawn by the site in the scan's own geometry: metastases, and where tracer collects.

A mask is one file, or a folder with files named after the regions (``metastasis.png``,
``bladder.nii.gz``). PNG files hold one region; NIfTI label maps and DICOM segmentations several.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bs_client.data.mask_files import Frame, Pair, read_nifti, read_png, read_segmentation
from bs_client.data.preprocess import Geometry
from bs_common.errors import DataError

Mask = NDArray[np.bool_]
Masks = tuple[Mask, Mask]  # anterior, posterior


class Region(IntEnum):
    """What a region is; the number is its label in a NIfTI label map."""

    METASTASIS = 1
    BLADDER = 2
    INJECTION = 3


# Words in the label of a DICOM segment, in English and Latin; any other segment is a metastasis.
SEGMENT_WORDS = {
    **dict.fromkeys(("bladder", "urine", "vesica"), Region.BLADDER),
    **dict.fromkeys(("injection", "extravasat"), Region.INJECTION),
}
NIFTI_SUFFIXES = (".nii", ".nii.gz")
DICOM_SUFFIXES = (".dcm", ".seg")


def read_mask(path: Path, geometry: Geometry) -> Masks:
    """Read the metastases alone; see `read_regions`."""
    return read_regions(path, geometry).get(Region.METASTASIS, _empty(geometry))


def read_regions(
    path: Path,
    geometry: Geometry,
    *,
    frames: tuple[Frame, Frame] | None = None,
) -> dict[Region, Masks]:
    """Read every region of a file, or of a folder with files named after the regions.

    Parameters
    ----------
    frames : the scan's anterior and posterior frame as DICOM references name them, by which
        frames of a segmentation find their view.
    geometry : of the scan; masks are drawn on the stored posterior view, and follow it where ingest
        has mirrored it.

    Returns
    -------
    Anterior and posterior mask of each region that has a pixel or a file of its own, (rows,
    columns) of its view.

    Raises
    ------
    DataError if a file cannot be read or does not fit the scan, or a folder names no region.
    """
    found: dict[Region, Masks] = {}
    for file, region in _files(path):
        pair = _read(file, geometry, frames)
        for one in _regions_in(pair, region):
            number = Region.METASTASIS if region is not None else one
            anterior, posterior = (view == number for view in pair)
            if geometry.posterior_mirrored:
                posterior = np.ascontiguousarray(posterior[:, ::-1])
            found[one] = (anterior, posterior)
    return found


def _files(path: Path) -> Iterator[tuple[Path, Region | None]]:
    """Give the files of a mask with the region that their name says, None where it says none."""
    if not path.is_dir():
        yield path, None
        return
    named = {region.name.casefold(): region for region in Region}
    files = [
        (file, named[word])
        for file in sorted(path.iterdir())
        if (word := file.name.casefold().split(".")[0]) in named
    ]
    if not files:
        raise DataError(
            "A mask folder holds no file that is named after a region.",
            remedy=f"Name the files {', '.join(f'{word}.png' for word in named)}.",
        )
    yield from files


def _read(file: Path, geometry: Geometry, frames: tuple[Frame, Frame] | None) -> Pair:
    name = file.name.casefold()
    if name.endswith(NIFTI_SUFFIXES):
        return read_nifti(file, geometry)
    if name.endswith(DICOM_SUFFIXES):
        return read_segmentation(file, geometry, frames=frames, number_of=_region_of)
    return read_png(file, geometry)


def _region_of(label: str) -> int:
    words = label.casefold()
    return next((r for word, r in SEGMENT_WORDS.items() if word in words), Region.METASTASIS)


def _regions_in(pair: Pair, named: Region | None) -> list[Region]:
    """Give the regions of a file: the one its name says, or all whose numbers occur."""
    if named is not None:
        return [named]
    numbers = sorted({int(n) for view in pair for n in np.unique(view)} - {0})
    unknown = set(numbers) - {int(region) for region in Region}
    if unknown:
        raise DataError(
            f"A mask holds {len(unknown)} values that are no region.",
            remedy="Use 0 background, 1 metastasis, 2 bladder, 3 injection.",
        )
    # A file without a spot says that there is none.
    return [Region(number) for number in numbers] or [Region.METASTASIS]


def _empty(geometry: Geometry) -> Masks:
    return np.zeros(geometry.anterior_shape, bool), np.zeros(geometry.posterior_shape, bool)
