"""The counts of one case as the browser gets them: two views of unsigned 16-bit numbers."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bs_client.dicom.scan import BoneScan, Counts
from bs_common.errors import DataError
from bs_common.files import write_atomic

Pixels = NDArray[np.uint16]

HIGHEST = 65535
# The bladder or the injection site would darken the first look if it ended at the maximum.
WINDOW_PERCENTILE = 99.5


@dataclass(frozen=True, slots=True)
class CaseImage:
    """How a case's file is to be read and first shown.

    anterior_shape, posterior_shape : (rows, columns); the file holds the views one after the
        other, row by row, head first, as little-endian uint16.
    aspect : height of a pixel divided by its width.
    scale : a stored number is counts times this; 1 unless counts are no whole 16-bit numbers.
    window : stored number at which the first look ends, the 99.5th percentile above zero.
    sha256 : digest of the file.
    """

    anterior_shape: tuple[int, int]
    posterior_shape: tuple[int, int]
    aspect: float
    scale: float
    window: int
    sha256: str


def write_case_image(path: Path, scan: BoneScan) -> CaseImage:
    """Write both views of a scan, readable by the owner alone, and say how to show them."""
    views = (scan.anterior.counts, scan.posterior.counts)
    scale = counts_scale(views)
    stored = [as_uint16(view, scale) for view in views]
    content = b"".join(view.astype("<u2").tobytes() for view in stored)
    write_atomic(path, content, mode=0o600)
    spacing = scan.anterior.spacing_mm
    return CaseImage(
        anterior_shape=_shape(views[0]),
        posterior_shape=_shape(views[1]),
        aspect=spacing[0] / spacing[1] if spacing else 1.0,
        scale=scale,
        window=first_window(stored),
        sha256=hashlib.sha256(content).hexdigest(),
    )


def counts_scale(views: tuple[Counts, Counts]) -> float:
    """Give 1 where all counts are whole numbers up to 65535, else what stretches them to that.

    Raises DataError if both views are empty or a value is not finite.
    """
    highest = max(float(view.max()) for view in views)
    if not 0 < highest < np.inf or any(float(view.min()) < 0 for view in views):
        raise DataError("a scan without counts, or with counts that are not finite and >= 0")
    whole = all(bool((view == np.rint(view)).all()) for view in views)
    return 1.0 if whole and highest <= HIGHEST else HIGHEST / highest


def as_uint16(counts: Counts, scale: float) -> Pixels:
    """Store counts times `scale`, rounded half to even."""
    stored: Pixels = np.rint(counts.astype(np.float64) * scale).astype(np.uint16)
    return stored


def first_window(views: list[Pixels]) -> int:
    """Give the 99.5th percentile of the numbers above zero of both views, at least 1."""
    above_zero = np.concatenate([view[view > 0] for view in views])
    return max(1, round(float(np.percentile(above_zero, WINDOW_PERCENTILE))))


def _shape(counts: Counts) -> tuple[int, int]:
    rows, columns = counts.shape
    return rows, columns
