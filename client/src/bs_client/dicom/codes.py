"""The answers of ingest: one code for each reason to refuse a scan or to warn about it.

Each code carries its meaning and its remedy, so that tables for people are made from this file
alone. Codes stand in the order in which the ingest rules are applied.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from bs_common.errors import ScanRefused


class _Code(StrEnum):
    meaning: str
    remedy: str

    def __new__(cls, code: str, meaning: str, remedy: str) -> Self:
        member = str.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        member.remedy = remedy
        return member


class Refusal(_Code):
    """Why an object or a study cannot be used."""

    E_NOT_DICOM = (
        "E_NOT_DICOM",
        "The file is not a DICOM image.",
        "Nothing to do for tables, masks and notes; export a damaged scan again.",
    )
    E_NO_TRANSFER_SYNTAX = (
        "E_NO_TRANSFER_SYNTAX",
        "The file does not say how its bytes are written (0002,0010).",
        "Export the scan again as a DICOM file (PS3.10) with its file meta information.",
    )
    E_TRUNCATED = (
        "E_TRUNCATED",
        "A nuclear medicine object ends before its pixels do.",
        "Copy or export the scan again; the transfer was cut short.",
    )
    E_NO_PIXELS = (
        "E_NO_PIXELS",
        "A DICOM object without an image (directory, report, plan).",
        "Nothing to do; such objects are passed over.",
    )
    E_MODALITY = (
        "E_MODALITY",
        "The image is not nuclear medicine (Modality is not NM).",
        "Export the planar bone scan, not CT, MR, PET or plain radiographs.",
    )
    E_SCREEN_CAPTURE = (
        "E_SCREEN_CAPTURE",
        "The image is in colour: a screen picture, not counts.",
        "Export the original acquisition instead of the screen capture.",
    )
    E_BURNED_IN = (
        "E_BURNED_IN",
        "The image says that text is burned into its pixels.",
        "Export the original acquisition; burned-in text may identify the patient.",
    )
    E_TRANSMISSION = (
        "E_TRANSMISSION",
        "The image is a transmission scan.",
        "Export the emission scan.",
    )
    E_SECONDARY_CAPTURE = (
        "E_SECONDARY_CAPTURE",
        "An 8-bit copy that is not a nuclear medicine object.",
        "Export the original 16-bit acquisition; 8 bits destroy counts.",
    )
    E_NOT_WHOLE_BODY = (
        "E_NOT_WHOLE_BODY",
        "The image is not a whole-body scan (spot view, dynamic, SPECT, quality control).",
        "Export the whole-body acquisition of the study.",
    )
    E_DECODE = (
        "E_DECODE",
        "The pixels cannot be decoded within the limits of time and memory.",
        "Export the scan uncompressed (Explicit VR Little Endian).",
    )
    E_FRAME_COUNT = (
        "E_FRAME_COUNT",
        "The number of frames is not the one that the header states or that a scan has.",
        "Export the study as whole-body NM: one frame per view, or one object with two frames.",
    )
    E_ENERGY_WINDOW_AMBIGUOUS = (
        "E_ENERGY_WINDOW_AMBIGUOUS",
        "Of several energy windows not exactly one is known to hold 140.5 keV.",
        "Export the Tc-99m photopeak window only, or with its energy limits.",
    )
    E_VIEW_CONFLICT = (
        "E_VIEW_CONFLICT",
        "Two statements in the header disagree whether a frame is anterior or posterior.",
        "Look at the scan, correct the wrong statement at the workstation and export again.",
    )
    E_VIEW_DUPLICATE = (
        "E_VIEW_DUPLICATE",
        "Both frames are stated to be the same view.",
        "Look at the scan, correct the view of one frame and export again.",
    )
    E_SIDE_BY_SIDE = (
        "E_SIDE_BY_SIDE",
        "One frame shows both views next to each other.",
        "Export the two views apart, or set split_side_by_side if the header names the halves.",
    )
    E_BLANK = (
        "E_BLANK",
        "All pixels of the view have the same value.",
        "Export the scan again; if it stays blank, it was not acquired.",
    )
    E_TOO_FEW_COUNTS = (
        "E_TOO_FEW_COUNTS",
        "A view has fewer than 50,000 counts.",
        "Check that the object is the acquisition in counts and not a scaled copy.",
    )
    E_NOT_A_SCAN = (
        "E_NOT_A_SCAN",
        "The upper corners are bright: inverted, a pattern or a screen, not a scan.",
        "Look at the image and export the original acquisition.",
    )
    E_WRAP8 = (
        "E_WRAP8",
        "High counts were wrapped to 8 bits, which destroyed uptake.",
        "Export the original 16-bit acquisition; accept_wrap8 admits such scans on purpose.",
    )
    E_VIEW_UNKNOWN = (
        "E_VIEW_UNKNOWN",
        "Nothing in the header says which view a frame is.",
        "Export with view codes; for two-frame objects assume_detector1_anterior may be set.",
    )
    E_VIEW_MISSING = (
        "E_VIEW_MISSING",
        "The study holds only one view, or no second one that belongs to it.",
        "Export the anterior and the posterior object of the study together.",
    )
    E_AMBIGUOUS = (
        "E_AMBIGUOUS",
        "Several pairs of views are equally good.",
        "Leave only the pair that was reported in the folder.",
    )
    E_VANISHED = (
        "E_VANISHED",
        "An accepted scan was moved, changed or damaged while the study ran.",
        "Leave the folder of the scans as it is until the study has ended.",
    )


class IngestWarning(_Code):
    """What is unusual about an accepted scan."""

    W_NO_PREAMBLE = (
        "W_NO_PREAMBLE",
        "The file lacks the DICOM prefix, but its image is readable.",
        "Nothing to do; a newer export writes the prefix.",
    )
    W_SC_AS_NM = (
        "W_SC_AS_NM",
        "The object class is not nuclear medicine, but Modality is NM and pixels have 16 bits.",
        "Prefer the original acquisition if it can be had.",
    )
    W_NO_IMAGE_TYPE = (
        "W_NO_IMAGE_TYPE",
        "Image Type does not say WHOLE BODY; the tall matrix stands for it.",
        "Check on the contact sheet that the scan is whole-body.",
    )
    W_MONO1_INVERTED = (
        "W_MONO1_INVERTED",
        "The image was stored black on white and has been inverted.",
        "Check on the contact sheet that bone is bright.",
    )
    W_NEGATIVE_CLIPPED = (
        "W_NEGATIVE_CLIPPED",
        "Negative pixels were set to zero.",
        "Prefer the original acquisition; lossy compression makes such pixels.",
    )
    W_LOSSY = (
        "W_LOSSY",
        "The image was compressed with loss.",
        "Prefer the original acquisition.",
    )
    W_OVERLAY_IGNORED = (
        "W_OVERLAY_IGNORED",
        "Overlays of the object (drawings, segmentations) are not used.",
        "Nothing to do.",
    )
    W_VIEW_BY_COMPLEMENT = (
        "W_VIEW_BY_COMPLEMENT",
        "One of two frames states its view; the other was taken as the opposite.",
        "Check the views on the contact sheet.",
    )
    W_VIEW_BY_ORDER = (
        "W_VIEW_BY_ORDER",
        "Views were told by detector order, as the site's setting allows.",
        "Check the views on the contact sheet.",
    )
    W_MULTIPLE_CANDIDATES = (
        "W_MULTIPLE_CANDIDATES",
        "The study has several pairs; the newest original with most counts was taken.",
        "Leave only the pair that was reported in the folder if another one is meant.",
    )
    W_MAYBE_SIDE_BY_SIDE = (
        "W_MAYBE_SIDE_BY_SIDE",
        "One frame held both views and was cut in the middle, as the site's setting allows.",
        "Check the halves on the contact sheet.",
    )
    W_LOW_COUNTS = (
        "W_LOW_COUNTS",
        "A view has fewer than 300,000 counts.",
        "Check the quality of the scan.",
    )
    W_SATURATED = (
        "W_SATURATED",
        "Several pixels stand at the top of the number range.",
        "Prefer the original 16-bit acquisition.",
    )
    W_WRAP8 = (
        "W_WRAP8",
        "High counts were wrapped to 8 bits; accepted by the site's setting.",
        "Use the original 16-bit acquisition.",
    )
    W_BODY_CUT = (
        "W_BODY_CUT",
        "The body reaches the last rows: feet or legs are missing.",
        "Nothing to do if the scan was reported so.",
    )
    W_BODY_HEIGHT = (
        "W_BODY_HEIGHT",
        "Pixel spacing gives an implausible body height.",
        "Do not resample this study by millimetres; check the camera's calibration.",
    )
    W_VIEW_GEOMETRY = (
        "W_VIEW_GEOMETRY",
        "The two views fit each other badly (different zoom, or another study's view).",
        "Review the pair by eye.",
    )
    W_PA_MIRRORED = (
        "W_PA_MIRRORED",
        "The posterior view seems to be mirrored already.",
        "Review by eye; flip_mirrored_posterior turns such views.",
    )


@dataclass(frozen=True, slots=True)
class Finding:
    """A warning with what was found, such as a number of pixels; no patient identifier."""

    warning: IngestWarning
    detail: str = ""


def refused(refusal: Refusal, received: str, *, remedy: str = "") -> ScanRefused:
    """Make the error for a refusal: its meaning, what was received, and the remedy."""
    message = f"{refusal.meaning} Received: {received}."
    return ScanRefused(refusal.value, message, remedy=remedy or refusal.remedy)
