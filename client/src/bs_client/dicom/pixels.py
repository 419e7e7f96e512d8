"""From an object's pixel data to counts (ingest rules 9 and 10)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.dataelem import RawDataElement
from pydicom.uid import (
    UID,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSNearLossless,
)

from bs_client.dicom.codes import Finding, IngestWarning, Refusal, refused
from bs_client.dicom.dataset_file import PYDICOM_FAILURES, open_dataset
from bs_client.dicom.decoder import shared_decoder
from bs_client.dicom.fields import text
from bs_client.dicom.header import Header
from bs_client.dicom.scan import Counts
from bs_common.errors import ScanRefused

# 1024 x 512 x 2 is 1 M; the bound holds a decoder to 256 MB of float32.
MAX_PIXELS = 64 * 2**20
LOSSY_SYNTAXES = (JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSNearLossless)
JPEG_REMEDY = (
    "Export the scan uncompressed, or install pylibjpeg-libjpeg (GPL-3) beside this program: "
    "it alone decodes 12-bit JPEG Extended."
)
OVERLAY_GROUPS = range(0x6000, 0x6020, 2)


def read_counts(header: Header) -> tuple[Counts, tuple[Finding, ...]]:
    """Read the counts of all frames of an object.

    Returns
    -------
    counts : (frames, rows, columns) float32, >= 0; MONOCHROME1 inverted about its maximum.
    findings : warnings of rule 10.

    Raises ScanRefused with E_TRUNCATED, E_FRAME_COUNT or E_DECODE (rule 9).
    """
    _check_size(header)
    compressed = _is_encapsulated(header.transfer_syntax)
    stored = _decode_compressed(header) if compressed else _read_plain(header)
    if stored.size != header.frames * header.rows * header.columns:
        raise refused(Refusal.E_FRAME_COUNT, f"pixels of shape {stored.shape}")
    counts = stored.reshape(header.frames, header.rows, header.columns).astype(np.float32)
    findings = list(_header_findings(header))
    if header.photometric == "MONOCHROME1":
        counts = counts.max() - counts
        findings.append(Finding(IngestWarning.W_MONO1_INVERTED))
    negative = int(np.count_nonzero(counts < 0))
    if negative:
        findings.append(Finding(IngestWarning.W_NEGATIVE_CLIPPED, f"{negative} pixels"))
    return np.maximum(counts, 0), tuple(findings)


def _check_size(header: Header) -> None:
    size = f"{header.rows} rows, {header.columns} columns, {header.frames} frames"
    if header.frames < 1:
        raise refused(Refusal.E_FRAME_COUNT, size)
    pixels = header.rows * header.columns * header.frames
    if not 0 < pixels <= MAX_PIXELS:
        raise refused(Refusal.E_DECODE, f"{size}; at most {MAX_PIXELS} pixels are decoded")


def _is_encapsulated(syntax: str) -> bool:
    try:
        return UID(syntax).is_encapsulated
    except ValueError:  # private or unknown syntax: leave it to the guarded worker
        return True


def _decode_compressed(header: Header) -> NDArray[np.generic]:
    syntax = UID(header.transfer_syntax)
    pixels = header.rows * header.columns * header.frames
    try:
        return shared_decoder().decode(header.file, frames=header.frames, pixels=pixels)
    except ScanRefused as error:
        if syntax == JPEGExtended12Bit and error.refusal == Refusal.E_DECODE:
            raise refused(Refusal.E_DECODE, syntax.name, remedy=JPEG_REMEDY) from None
        raise


def _read_plain(header: Header) -> NDArray[np.generic]:
    dataset = open_dataset(header.file, with_pixels=True).dataset
    try:
        _check_length(header, dataset)
        return np.asarray(dataset.pixel_array)
    except PYDICOM_FAILURES as error:
        received = f"{UID(header.transfer_syntax).name} ({type(error).__name__})"
        raise refused(Refusal.E_DECODE, received) from None


def _check_length(header: Header, dataset: Dataset) -> None:
    element = dataset.get_item("PixelData")
    stored = len(element.value or b"") if element is not None else 0
    frame_bytes = (header.rows * header.columns * header.bits_allocated + 7) // 8
    expected = frame_bytes * header.frames
    received = f"{stored} bytes of pixels, {expected} stated"
    if isinstance(element, RawDataElement) and stored < element.length:
        raise refused(Refusal.E_TRUNCATED, f"{stored} of {element.length} bytes of pixels")
    # An even number of bytes is written, so one byte more is padding, not a frame.
    whole_frames = stored >= frame_bytes > 1 and stored % frame_bytes <= 1
    if whole_frames and stored // frame_bytes != header.frames:
        raise refused(Refusal.E_FRAME_COUNT, received)
    if stored < expected:
        raise refused(Refusal.E_TRUNCATED, received)


def _header_findings(header: Header) -> tuple[Finding, ...]:
    findings = []
    flagged = text(header.dataset, "LossyImageCompression") == "01"
    if flagged or header.transfer_syntax in LOSSY_SYNTAXES:
        findings.append(Finding(IngestWarning.W_LOSSY))
    if any(tag.group in OVERLAY_GROUPS for tag in header.dataset.keys()):  # noqa: SIM118
        findings.append(Finding(IngestWarning.W_OVERLAY_IGNORED))
    return tuple(findings)
