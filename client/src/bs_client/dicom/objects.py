"""Read one object by itself: every ingest rule that needs no other object (1-15 and 17-19)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bs_client.dicom.admission import admit
from bs_client.dicom.codes import Finding, IngestWarning, Refusal, refused
from bs_client.dicom.dataset_file import quiet_pydicom
from bs_client.dicom.header import Header, read_header
from bs_client.dicom.pixels import read_counts
from bs_client.dicom.plausibility import check_view, is_side_by_side
from bs_client.dicom.scan import Counts, ViewImage
from bs_client.dicom.settings import IngestSettings
from bs_client.dicom.view_words import View
from bs_client.dicom.views import Statement, frame_views, half_views
from bs_client.dicom.windows import photopeak_frames


@dataclass(frozen=True, slots=True)
class ScanObject:
    """A usable object: one view, or both.

    views : the images by view; two entries where the object is complete in itself.
    pixel_sha256 : digest of the counts of its views, to tell copies of one object.
    """

    header: Header
    views: dict[View, ViewImage]
    findings: tuple[Finding, ...]
    pixel_sha256: str

    @property
    def evidence(self) -> tuple[str, ...]:
        """Say what decided each view, such as ``"anterior by view_code"``."""
        return tuple(f"{view} by {image.source}" for view, image in sorted(self.views.items()))


def read_object(file: Path, settings: IngestSettings) -> ScanObject:
    """Read one file; raises ScanRefused with the code of the first rule that refuses it."""
    with quiet_pydicom():
        return _read_object(file, settings)


def _read_object(file: Path, settings: IngestSettings) -> ScanObject:
    header = read_header(file)
    admitted = admit(header)
    counts, of_pixels = read_counts(header)  # (frames, rows, columns)
    frames = photopeak_frames(header)
    statements, of_views = frame_views(header, frames, settings)
    images = [(counts[frame], frame, view) for frame, view in zip(frames, statements, strict=True)]
    if len(images) == 1 and is_side_by_side(images[0][0]):
        images = _halves(header, counts[frames[0]], frames[0], settings)
        of_views = (Finding(IngestWarning.W_MAYBE_SIDE_BY_SIDE),)
    of_counts = [finding for image, _, _ in images for finding in check_view(image, settings)]
    views = dict(_view_image(header, *image) for image in images)
    findings = (*header.findings, *admitted, *of_pixels, *of_views, *of_counts)
    return ScanObject(header, views, findings, digest_counts(*views.values()))


def digest_counts(*views: ViewImage) -> str:
    """Give the SHA-256 of the views' shapes and counts, in the order given."""
    digest = hashlib.sha256()
    for view in views:
        digest.update(repr(view.counts.shape).encode() + view.counts.tobytes())
    return digest.hexdigest()


def _halves(
    header: Header, counts: Counts, frame: int, settings: IngestSettings
) -> list[tuple[Counts, int, Statement | None]]:
    if not settings.split_side_by_side:
        received = f"one frame of {counts.shape[0]} x {counts.shape[1]} with an empty centre"
        raise refused(Refusal.E_SIDE_BY_SIDE, received)
    left, right = half_views(header)
    half = counts.shape[1] // 2
    return [(counts[:, :half], frame, left), (counts[:, -half:], frame, right)]


def _view_image(
    header: Header, counts: Counts, frame: int, statement: Statement | None
) -> tuple[View, ViewImage]:
    if statement is None:
        raise refused(Refusal.E_VIEW_UNKNOWN, "one frame without any view statement")
    image = ViewImage(
        counts=np.ascontiguousarray(counts),
        spacing_mm=header.spacing_mm,
        source=statement.source.value,
        sop_instance_uid=header.sop_instance_uid,
        frame=frame + 1,
    )
    return statement.view, image
