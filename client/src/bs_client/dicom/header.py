"""A file's header as facts, read without its pixels (ingest rules 1 and 2)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydicom import Dataset

from bs_client.dicom.codes import Finding, IngestWarning, Refusal, refused
from bs_client.dicom.dataset_file import DatasetFile, open_dataset
from bs_client.dicom.fields import (
    integer,
    integers,
    items,
    numbers,
    private_texts,
    text,
    texts,
)

GE_CREATOR = "GEMS_GENIE_1"
GE_NUCLIDE = (0x0011, 0x0D)  # "Radio Nuclide Name", such as Tc99m


@dataclass(frozen=True, slots=True)
class Header:
    """What the rules need of one object.

    image_type : values of (0008,0008), upper case; shorter than the standard's four if cut.
    rows, columns : of one frame, 0 where not stated.
    acquired : acquisition date and time; the date is 1900-01-01 where only the time is stated.
    dataset : the data set without its large values, for the view and energy window statements.
    """

    file: Path
    dataset: Dataset
    transfer_syntax: str
    modality: str
    study_uid: str
    patient_id: str
    sop_instance_uid: str
    sop_class: str
    image_type: tuple[str, ...]
    photometric: str
    samples_per_pixel: int
    bits_allocated: int
    rows: int
    columns: int
    frames: int
    spacing_mm: tuple[float, float] | None
    radionuclide: str
    technique: str
    acquired: datetime | None
    scanner: str
    synthetic: bool
    findings: tuple[Finding, ...]


def read_header(file: Path) -> Header:
    """Read the facts of one file; raises ScanRefused by rules 1 and 2."""
    return header_of(file, open_dataset(file, with_pixels=False))


def header_of(file: Path, opened: DatasetFile) -> Header:
    """Give the facts of an opened file.

    Raises ScanRefused by rule 1 (E_NOT_DICOM, E_NO_TRANSFER_SYNTAX) and rule 2 (E_TRUNCATED for
    Modality NM without pixels, else E_NO_PIXELS).
    """
    dataset = opened.dataset
    has_pixels = "PixelData" in dataset
    if not opened.has_prefix and not has_pixels:
        raise refused(Refusal.E_NOT_DICOM, "neither the DICM prefix nor an image")
    if not opened.transfer_syntax:
        raise refused(Refusal.E_NO_TRANSFER_SYNTAX, "no transfer syntax")
    if not has_pixels:
        refusal = Refusal.E_TRUNCATED if modality(dataset) == "NM" else Refusal.E_NO_PIXELS
        raise refused(refusal, "no pixel data element (7FE0,0010)")
    unprefixed = () if opened.has_prefix else (Finding(IngestWarning.W_NO_PREAMBLE),)
    return _facts(file, dataset, opened.transfer_syntax, unprefixed)


def modality(dataset: Dataset) -> str:
    """Give the modality in upper case, empty where not stated."""
    return text(dataset, "Modality").upper()


def _facts(file: Path, dataset: Dataset, syntax: str, findings: tuple[Finding, ...]) -> Header:
    frames = integer(dataset, "NumberOfFrames")
    samples = integer(dataset, "SamplesPerPixel")
    return Header(
        file=file,
        dataset=dataset,
        transfer_syntax=syntax,
        modality=modality(dataset),
        study_uid=text(dataset, "StudyInstanceUID"),
        patient_id=text(dataset, "PatientID"),
        sop_instance_uid=text(dataset, "SOPInstanceUID"),
        sop_class=_sop_class(dataset),
        image_type=tuple(value.upper() for value in texts(dataset, "ImageType")),
        photometric=text(dataset, "PhotometricInterpretation").upper(),
        samples_per_pixel=1 if samples is None else samples,
        bits_allocated=integer(dataset, "BitsAllocated") or 0,
        rows=integer(dataset, "Rows") or 0,
        columns=integer(dataset, "Columns") or 0,
        frames=1 if frames is None else frames,
        spacing_mm=_spacing(dataset),
        radionuclide=_radionuclide(dataset),
        technique=text(dataset, "WholeBodyTechnique").upper(),
        acquired=_acquired(dataset),
        scanner=_scanner(dataset),
        synthetic=text(dataset, "SyntheticData").upper() == "YES",
        findings=findings,
    )


def _sop_class(dataset: Dataset) -> str:
    # Some exports leave the class out of the data set and name it in the file meta only.
    meta = dataset.file_meta
    return text(dataset, "SOPClassUID") or text(meta, "MediaStorageSOPClassUID")


def _spacing(dataset: Dataset) -> tuple[float, float] | None:
    values = numbers(dataset, "PixelSpacing")
    if len(values) != 2 or min(values) <= 0:
        return None
    return values[0], values[1]


def _radionuclide(dataset: Dataset) -> str:
    for pharmaceutical in items(dataset, "RadiopharmaceuticalInformationSequence"):
        for nuclide in items(pharmaceutical, "RadionuclideCodeSequence"):
            return text(nuclide, "CodeValue").upper()
    group, element = GE_NUCLIDE
    return "".join(private_texts(dataset, group, GE_CREATOR, element)).upper()


def _acquired(dataset: Dataset) -> datetime | None:
    joined = _moment(text(dataset, "AcquisitionDateTime"))
    if joined is not None:
        return joined
    date = text(dataset, "AcquisitionDate") or text(dataset, "StudyDate") or "19000101"
    return _moment(date.replace(".", "") + text(dataset, "AcquisitionTime").replace(":", ""))


def _moment(stated: str) -> datetime | None:
    digits = re.match(r"\d{12,14}", stated)
    if digits is None:
        return None
    try:
        # The camera's own clock: only differences within a study are used.
        return datetime.strptime(digits.group().ljust(14, "0"), "%Y%m%d%H%M%S")  # noqa: DTZ007
    except ValueError:
        return None


def _scanner(dataset: Dataset) -> str:
    parts = (text(dataset, "Manufacturer"), text(dataset, "ManufacturerModelName"))
    return " ".join(part for part in parts if part)


def frame_vector(header: Header, keyword: str) -> tuple[int, ...] | None:
    """Give a frame vector such as (0054,0020) as one number per frame, None where not stated.

    Raises ScanRefused with E_FRAME_COUNT if it has another length than the frames (PS3.3
    C.8.4.8.1: the n-th value belongs to the n-th frame).
    """
    values = integers(header.dataset, keyword)
    if not values:
        return None
    if len(values) != header.frames:
        received = f"{len(values)} values of {keyword} for {header.frames} frames"
        raise refused(Refusal.E_FRAME_COUNT, received)
    return values
