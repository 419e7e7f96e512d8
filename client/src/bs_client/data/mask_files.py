"""Files in which a site can draw regions: PNG, NIfTI and DICOM SEG, all in the scan's own matrix.

Each reader gives regions as whole numbers a pixel; which number is which region is `masks`' word.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from PIL import Image
from pydicom.errors import InvalidDicomError

from bs_client.data.preprocess import Geometry
from bs_common.errors import DataError

Regions = NDArray[np.int64]
Pair = tuple[Regions, Regions]
Frame = tuple[str, int]  # SOP Instance UID of a scan object, frame number from 1

_SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
_LABEL_MAP = "1.2.840.10008.5.1.4.1.1.66.7"
_NIBABEL = "uv pip install nibabel, or install bs-client with the extra: bs-client[nifti]"


def read_png(path: Path, geometry: Geometry) -> Pair:
    """Read black and white, grey or indexed colours of any depth: 0 is background, all else 1.

    Raises
    ------
    DataError if it is no PNG, has colour channels, or is not (rows, anterior + posterior columns).
    """
    try:
        with Image.open(path, formats=["PNG"]) as picture:
            # Not turned into 8-bit grey: that would lose a spot drawn as 1 in 16 bits.
            drawn = np.asarray(picture) > 0
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(
            "A mask cannot be read as a PNG.", remedy="Export the masks as PNG again."
        ) from error
    return _cut(drawn.astype(np.int64), geometry)


def read_nifti(path: Path, geometry: Geometry) -> Pair:
    """Read a label map with axes (columns, rows) of both views side by side, or (columns, rows, 2).

    That is the order in which ITK-SNAP and 3D Slicer keep a multi-frame scan; the affine, which
    means nothing between two views, is not looked at.

    Raises
    ------
    DataError if nibabel is not installed, the file is no NIfTI, its values are no small whole
    numbers, or it does not fit the scan.
    """
    try:
        import nibabel  # noqa: PLC0415 - an optional extra
    except ImportError as error:
        raise DataError("A mask is NIfTI, which needs nibabel.", remedy=_NIBABEL) from error
    try:
        values = np.asanyarray(nibabel.Nifti1Image.from_filename(str(path)).dataobj)
    except (
        *(OSError, ValueError, EOFError),
        *(nibabel.filebasedimages.ImageFileError, nibabel.spatialimages.HeaderDataError),
    ) as error:
        raise DataError(
            "A mask cannot be read as NIfTI.", remedy="Export the mask again, as a label map."
        ) from error
    regions = np.squeeze(values.T)  # (rows, columns) or (views, rows, columns)
    if regions.dtype.kind not in "iufb" or not (np.rint(regions) == regions).all():
        raise DataError(
            "A NIfTI mask holds values that are no whole numbers.",
            remedy="Export it as a label map: 0 background, 1 metastasis, 2 bladder, 3 injection.",
        )
    return _cut(regions.astype(np.int64), geometry)


def read_segmentation(
    path: Path,
    geometry: Geometry,
    *,
    frames: tuple[Frame, Frame] | None,
    number_of: Callable[[str], int],
) -> Pair:
    """Read a DICOM segmentation (PS3.3 A.51), binary, fractional (from a half) or label map.

    A frame lies on the view that it names as its source; frames that name none are taken two by
    two, anterior first.

    Parameters
    ----------
    frames : the scan's anterior and posterior frame, as DICOM references name them.
    number_of : gives the number of a region from a segment's label.

    Raises
    ------
    DataError if it is no segmentation, or its frames do not fit the scan.
    """
    try:
        dataset = pydicom.dcmread(path)
        pixels = np.atleast_3d(dataset.pixel_array)
    except (OSError, InvalidDicomError, AttributeError, NotImplementedError, ValueError) as error:
        raise DataError(
            "A mask cannot be read as a DICOM segmentation.",
            remedy="Export the outlines as DICOM SEG without compression.",
        ) from error
    if dataset.get("SOPClassUID") not in (_SEGMENTATION, _LABEL_MAP):
        raise DataError(
            "A mask is a DICOM object, but no segmentation.",
            remedy="Give the SEG object in the mask column, not the scan.",
        )
    if pixels.shape[0] != int(dataset.get("NumberOfFrames", 1)):
        pixels = np.moveaxis(pixels, -1, 0)  # one frame comes as (rows, columns)
    numbers = {
        int(s.SegmentNumber): number_of(str(s.SegmentLabel)) for s in dataset.SegmentSequence
    }
    drawn = [
        np.zeros(shape, np.int64) for shape in (geometry.anterior_shape, geometry.posterior_shape)
    ]
    seen: dict[int, int] = {}
    for frame, groups in zip(pixels, dataset.PerFrameFunctionalGroupsSequence, strict=True):
        values = _numbered(frame, groups, dataset, numbers)
        segment = _segment_of(groups)
        view = _view_of(groups, frames)
        if view is None:
            view = seen[segment] = seen.get(segment, -1) + 1
        if view > 1 or values.shape != drawn[view].shape:
            raise DataError(
                f"A segmentation has a frame of {values.shape} that lies on neither view, "
                f"expected {drawn[0].shape}.",
                remedy="Segment the two frames of the scan itself, in its own matrix.",
            )
        drawn[view] = np.where(values > 0, values, drawn[view])
    return drawn[0], drawn[1]


def _numbered(
    frame: NDArray[Any], groups: pydicom.Dataset, dataset: pydicom.Dataset, numbers: dict[int, int]
) -> Regions:
    """Give the region number of every pixel of one frame."""
    if dataset.SOPClassUID == _LABEL_MAP:
        table = np.zeros(int(frame.max(initial=0)) + 1, np.int64)
        for segment, number in numbers.items():
            if segment < table.size:
                table[segment] = number
        numbered: Regions = table[frame]
        return numbered
    half = int(dataset.get("MaximumFractionalValue", 1)) / 2
    return np.where(frame >= half, numbers[_segment_of(groups)], 0).astype(np.int64)


def _segment_of(groups: pydicom.Dataset) -> int:
    identification = groups.get("SegmentIdentificationSequence")
    return int(identification[0].ReferencedSegmentNumber) if identification else 0


def _view_of(groups: pydicom.Dataset, frames: tuple[Frame, Frame] | None) -> int | None:
    """Tell which view a frame names as its source: 0 anterior, 1 posterior, None for no such."""
    for derivation in groups.get("DerivationImageSequence") or ():
        for source in derivation.get("SourceImageSequence") or ():
            named = (
                source.get("ReferencedSOPInstanceUID"),
                source.get("ReferencedFrameNumber") or 1,
            )
            if frames is not None and named in frames:
                return frames.index((str(named[0]), int(named[1])))
    return None


def _cut(regions: Regions, geometry: Geometry) -> Pair:
    """Cut regions of both views, side by side or one behind the other, into the two."""
    rows, columns = geometry.anterior_shape
    expected = (rows, columns + geometry.posterior_shape[1])
    if regions.shape == (2, rows, columns) and geometry.posterior_shape == (rows, columns):
        return regions[0], regions[1]
    if regions.shape != expected or geometry.posterior_shape[0] != rows:
        raise DataError(
            f"A mask is {regions.shape}, expected {expected}: both views side by side.",
            remedy="Draw masks without colour in the scan's own matrix, anterior left, posterior "
            "right.",
        )
    return regions[:, :columns], regions[:, columns:]
