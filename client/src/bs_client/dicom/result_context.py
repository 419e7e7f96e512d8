"""What a result object takes over from the scan it was made from: patient, study, references.

The scan itself is only read. A result stands in the same study, in a series of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO

from pydicom import Dataset
from pydicom.uid import UID

from bs_client.dicom.admission import NM_CLASSES
from bs_client.dicom.dataset_file import PYDICOM_FAILURES, quiet_pydicom
from bs_client.dicom.fields import integer, text
from bs_common.errors import DataError

MANUFACTURER = "bs-client, research software"
MODEL_NAME = "bs-client predict"
# Not a paired structure, so that no laterality is missing (PS3.3 C.7.3.1, PS3.16 annex L).
BODY_PART = "WHOLEBODY"
NOT_FOR_DIAGNOSIS = "AI result for research: not for diagnosis"

# PS3.3 C.7.1.1, C.7.2.1: these must be there, and may be empty (type 2).
_REQUIRED = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyID",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "ReferringPhysicianName",
)
# Kept where the scan has them, so that an archive files the result with the right patient.
_OPTIONAL = (
    "SpecificCharacterSet",
    "TimezoneOffsetFromUTC",
    "IssuerOfPatientID",
    "PatientAge",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
    "StudyDescription",
    "SyntheticData",
)


@dataclass(frozen=True, slots=True, eq=False)
class SourceImage:
    """An object of the scan, and which of its frames were used (from 1).

    dataset : its header; the pixels are not needed.
    """

    dataset: Dataset
    frames: tuple[int, ...]

    def __post_init__(self) -> None:
        """Refuse an object that no reference could lead to."""
        stated = {
            "Study Instance UID": self.study_instance_uid,
            "Series Instance UID": self.series_instance_uid,
            "SOP Instance UID": self.sop_instance_uid,
            "SOP Class UID": self.sop_class_uid,
        }
        faulty = [name for name, value in stated.items() if not (value and UID(value).is_valid)]
        if faulty or not self.frames:
            raise DataError(
                f"the scan has no valid {', '.join(faulty) or 'frame'}",
                remedy="Export the scan again with its UIDs; results are filed by them.",
            )

    @property
    def study_instance_uid(self) -> str:
        """Study that the results belong to (0020,000D)."""
        return text(self.dataset, "StudyInstanceUID")

    @property
    def series_instance_uid(self) -> str:
        """Series of the scan (0020,000E)."""
        return text(self.dataset, "SeriesInstanceUID")

    @property
    def sop_instance_uid(self) -> str:
        """The object itself (0008,0018)."""
        return text(self.dataset, "SOPInstanceUID")

    @property
    def sop_class_uid(self) -> str:
        """Its kind (0008,0016), which some exports name in the file meta information only."""
        meta = self.dataset.file_meta
        return text(self.dataset, "SOPClassUID") or text(meta, "MediaStorageSOPClassUID")

    @property
    def referenced_frames(self) -> list[int] | None:
        """Frames to name in a reference; None where the object's class is not multi-frame.

        Nuclear medicine always is, even with one frame (PS3.3 C.8.4.8).
        """
        several = (integer(self.dataset, "NumberOfFrames") or 1) > 1
        return list(self.frames) if several or self.sop_class_uid in NM_CLASSES else None

    def reference(self) -> Dataset:
        """Give the item that leads from a result to these frames (PS3.3 table 10-3)."""
        item = Dataset()
        item.ReferencedSOPClassUID = self.sop_class_uid
        item.ReferencedSOPInstanceUID = self.sop_instance_uid
        if self.referenced_frames is not None:
            item.ReferencedFrameNumber = self.referenced_frames
        return item


@dataclass(frozen=True, slots=True)
class ResultInstance:
    """Names of a new object and of what made it; the terms are the standard's own.

    content_date_time : when it was made, in this site's time.
    instance_number : its number in the series, from 1.
    """

    series_instance_uid: str
    series_number: int
    series_description: str
    sop_instance_uid: str
    software_versions: str
    content_date_time: datetime
    instance_number: int = 1

    def __post_init__(self) -> None:
        """Refuse names that no archive would take."""
        uids = (self.series_instance_uid, self.sop_instance_uid)
        if not all(UID(uid).is_valid for uid in uids) or uids[0] == uids[1]:
            raise ValueError("series and instance need valid UIDs of their own")
        if self.series_number < 1:
            raise ValueError(f"series number {self.series_number}, expected 1 or above")
        if max(len(self.series_description), len(self.software_versions)) > 64:
            raise ValueError("a text is longer than the 64 characters of VR LO")

    def date(self, result: Dataset) -> None:
        """Say in an object when it and its content were made."""
        made = self.content_date_time
        result.InstanceCreationDate, result.InstanceCreationTime = made.date(), made.time()
        # Presentation states have their own words for it (PS3.3 C.11.10).
        words = "PresentationCreation" if "PresentationCreationDate" in result else "Content"
        setattr(result, f"{words}Date", made.date())
        setattr(result, f"{words}Time", made.time())


def check_one_study(source_images: Sequence[SourceImage]) -> None:
    """Refuse objects of several studies, and none at all."""
    studies = {image.study_instance_uid for image in source_images}
    if len(studies) != 1:
        raise DataError(f"{len(studies)} studies, expected the objects of one")


def take_over_patient_and_study(target: Dataset, source: SourceImage) -> None:
    """Copy patient and study from the scan, as they are written there.

    highdicom would check the patient's name and log it where it is unusual; copied afterwards,
    it stays unlogged and unchanged.
    """
    for keyword in (*_OPTIONAL, *_REQUIRED):
        if keyword in source.dataset:
            target[keyword] = deepcopy(source.dataset[keyword])
        elif keyword in _REQUIRED:
            setattr(target, keyword, None)
    target.StudyInstanceUID = source.study_instance_uid


def encode(dataset: Dataset) -> bytes:
    """Give a result as the bytes of a DICOM file.

    Raises DataError if a value taken over from the scan cannot be written.
    """
    content = BytesIO()
    try:
        with quiet_pydicom():
            dataset.save_as(content, enforce_file_format=True)
    except PYDICOM_FAILURES as error:
        raise DataError(
            f"a value taken over from the scan cannot be written ({type(error).__name__})",
            remedy="Export the scan again; its patient or study entries are malformed.",
        ) from None
    return content.getvalue()
