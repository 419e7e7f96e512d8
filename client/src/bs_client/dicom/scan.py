"""What ingest hands on: one whole-body bone scan as two count images, and how that was decided."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ViewImage:
    """One view of a scan.

    counts : (rows, columns) float32, counts per pixel, >= 0; rows run head to foot. The posterior
        view is as seen from behind (patient's left on the left), as cameras store it.
    spacing_mm : (row, column) pixel spacing, or None where the object does not state it.
    source : the evidence that decided the view, such as ``"view_code"`` or ``"ge_name"``.
    frame : number of the frame in its object, from 1 as in DICOM references.
    mirrored : whether `counts` are the stored frame mirrored left to right.
    """

    counts: Counts
    spacing_mm: tuple[float, float] | None
    source: str
    sop_instance_uid: str
    frame: int
    mirrored: bool = False


@dataclass(frozen=True, slots=True)
class BoneScan:
    """One accepted study.

    warnings : `W_...` codes in the order of the ingest rules, each once.
    notes : what warnings found, such as ``"W_SATURATED: 12 pixels at 255"``; for the site's log.
    scanner : manufacturer and model as the object states them, for subgroup tables.
    pixel_sha256 : digest of both views' counts, to find duplicates; stays at the site.
    synthetic : whether the object says that it was made artificially, (0008,001C) = YES.
    """

    study_uid: str
    patient_id: str
    anterior: ViewImage
    posterior: ViewImage
    files: tuple[Path, ...]
    warnings: tuple[str, ...]
    scanner: str
    pixel_sha256: str
    synthetic: bool
    notes: tuple[str, ...] = ()
