"""Decide from the header alone whether an object can be a whole-body scan (ingest rules 3-8)."""

from __future__ import annotations

import re

from bs_client.dicom.codes import Finding, IngestWarning, Refusal, refused
from bs_client.dicom.fields import text
from bs_client.dicom.header import Header

# Nuclear Medicine Image Storage and its retired form (PS3.4 B.5).
NM_CLASSES = ("1.2.840.10008.5.1.4.1.1.20", "1.2.840.10008.5.1.4.1.1.5")
COLOUR_PREFIXES = ("RGB", "YBR", "PALETTE", "HSV", "ARGB", "CMYK")
# A whole-body matrix is 1024 x 256 to 1024 x 512; spot views are square.
WHOLE_BODY_ASPECT = 1.8
# Image Type value numbers, counted from 0 (PS3.3 C.8.4.9.1.1).
ACQUISITION_KIND, RADIATION_KIND = 2, 3


def admit(header: Header) -> tuple[Finding, ...]:
    """Apply rules 3-8 in order and give their warnings; raises ScanRefused at the first refusal."""
    _check_modality(header)
    _check_grey(header)
    _check_emission(header)
    return (*_check_class(header), *_check_whole_body(header))


def _check_modality(header: Header) -> None:
    if header.modality != "NM":
        raise refused(Refusal.E_MODALITY, f"Modality {header.modality[:16] or 'not stated'}")


def _check_grey(header: Header) -> None:
    if header.samples_per_pixel != 1 or header.photometric.startswith(COLOUR_PREFIXES):
        received = f"{header.samples_per_pixel} samples per pixel, {header.photometric[:16]}"
        raise refused(Refusal.E_SCREEN_CAPTURE, received)
    if text(header.dataset, "BurnedInAnnotation").upper() == "YES":
        raise refused(Refusal.E_BURNED_IN, "Burned In Annotation (0028,0301) YES")


def _check_emission(header: Header) -> None:
    if _image_type(header, RADIATION_KIND) == "TRANSMISSION":
        raise refused(Refusal.E_TRANSMISSION, "Image Type value 4 TRANSMISSION")


def _check_class(header: Header) -> tuple[Finding, ...]:
    if header.sop_class in NM_CLASSES:
        return ()
    if header.bits_allocated <= 8:
        received = f"{header.bits_allocated} bits allocated, SOP class not NM"
        raise refused(Refusal.E_SECONDARY_CAPTURE, received)
    return (Finding(IngestWarning.W_SC_AS_NM),)


def _check_whole_body(header: Header) -> tuple[Finding, ...]:
    kind = _image_type(header, ACQUISITION_KIND)
    # Some exports write WHOLE_BODY or WHOLEBODY for the standard's WHOLE BODY.
    if re.sub(r"[\s_-]", "", kind) == "WHOLEBODY":
        return ()
    if kind:
        raise refused(Refusal.E_NOT_WHOLE_BODY, f"Image Type value 3 {kind[:16]}")
    if header.rows < WHOLE_BODY_ASPECT * header.columns or not header.columns:
        received = f"no Image Type value 3 and {header.rows} x {header.columns} pixels"
        raise refused(Refusal.E_NOT_WHOLE_BODY, received)
    return (Finding(IngestWarning.W_NO_IMAGE_TYPE),)


def _image_type(header: Header, number: int) -> str:
    return header.image_type[number] if len(header.image_type) > number else ""
