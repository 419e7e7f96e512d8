"""Synthetic studies as DICOM NM objects (PS3.3 A.5), in the layouts of three vendors.

Every object states (0008,001C) Synthetic Data = YES: no phantom shall ever be taken for a patient.
UIDs, dates and all other attributes follow from the study's seed and number: the same study gives
the same bytes.
"""

from __future__ import annotations

import datetime
import io

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import (
    PYDICOM_IMPLEMENTATION_UID,
    UID,
    ExplicitVRLittleEndian,
    NuclearMedicineImageStorage,
    generate_uid,
)

from bs_client.phantom.acquisition import CountImage
from bs_client.phantom.study import PhantomStudy
from bs_client.phantom.vendor_layout import Frame, ObjectLayout, describe_detectors, layouts

ENERGY_WINDOW_KEV = (126.5, 154.5)  # 140.5 keV of Tc-99m, 20 % wide
FIRST_DAY = datetime.datetime(2020, 1, 6, 8, 0)  # noqa: DTZ001 (DICOM local time)
STUDIES_PER_DAY = 6
MINUTES_PER_STUDY = 45
UPTAKE_TIME = datetime.timedelta(hours=3)  # from injection to scan
IMPLEMENTATION_VERSION = "BONESCAN_PHANTOM"  # at most 16 characters


def study_instance_uid(study: PhantomStudy) -> UID:
    """Give the Study Instance UID: a digest of what makes the study, the same at each call."""
    return _uid(study, "study")


def patient_id(study: PhantomStudy) -> str:
    """Give the synthetic patient identifier, such as ``PHANTOM-A-0007``."""
    return f"PHANTOM-{study.style.letter}-{study.patient_number:04d}"


def nm_objects(study: PhantomStudy) -> dict[str, Dataset]:
    """Give the study's objects by the suffix of their file names.

    One object of two frames under ``""`` (Siemens- and Philips-like), or two of one frame under
    ``"_e"`` (anterior) and ``"_f"`` (posterior) (GE-like).
    """
    return {
        layout.suffix: _object(study, layout, instance_number)
        for instance_number, layout in enumerate(layouts(study.style.vendor), start=1)
    }


def encoded(dataset: Dataset) -> bytes:
    """Give an object as the bytes of a DICOM file, Explicit VR Little Endian."""
    content = io.BytesIO()
    dataset.save_as(content, enforce_file_format=True)
    return content.getvalue()


def _object(study: PhantomStudy, layout: ObjectLayout, instance_number: int) -> Dataset:
    sop_instance_uid = _uid(study, "object", str(instance_number))
    dataset = FileDataset("", {}, file_meta=_file_meta(sop_instance_uid), preamble=b"\0" * 128)
    dataset.SOPClassUID = NuclearMedicineImageStorage
    dataset.SOPInstanceUID = sop_instance_uid
    dataset.SyntheticData = "YES"
    dataset.InstanceNumber = instance_number
    _describe_patient(dataset, study)
    _describe_study(dataset, study, series_description=layout.series_description)
    _describe_acquisition(dataset, study)
    _describe_radiopharmaceutical(dataset, study)
    describe_detectors(dataset, layout)
    _put_pixels(dataset, study, layout)
    return dataset


def _file_meta(sop_instance_uid: UID) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = NuclearMedicineImageStorage
    meta.MediaStorageSOPInstanceUID = sop_instance_uid
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = PYDICOM_IMPLEMENTATION_UID
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION
    return meta


def _describe_patient(dataset: Dataset, study: PhantomStudy) -> None:
    dataset.PatientName = f"PHANTOM^{study.style.letter}{study.patient_number}"
    dataset.PatientID = patient_id(study)
    dataset.PatientBirthDate = ""
    dataset.PatientSex = study.patient.sex
    dataset.PatientAge = f"{study.patient.age_years:03d}Y"


def _describe_study(dataset: Dataset, study: PhantomStudy, *, series_description: str) -> None:
    """Fill study, series and equipment; all dates are those of the one acquisition."""
    time = _acquisition_time(study)
    for event in ("Study", "Series", "Acquisition", "Content"):
        setattr(dataset, f"{event}Date", time.strftime("%Y%m%d"))
        setattr(dataset, f"{event}Time", time.strftime("%H%M%S"))
    dataset.StudyInstanceUID = study_instance_uid(study)
    dataset.SeriesInstanceUID = _uid(study, "series")
    dataset.FrameOfReferenceUID = _uid(study, "frame of reference")
    dataset.PositionReferenceIndicator = ""
    dataset.StudyID = str(study.number)
    dataset.SeriesNumber = 1
    dataset.AccessionNumber = ""
    dataset.ReferringPhysicianName = ""
    dataset.Modality = "NM"
    dataset.StudyDescription = "Whole Body Bone"
    dataset.SeriesDescription = series_description
    dataset.BodyPartExamined = "WHOLEBODY"
    dataset.PatientPosition = "HFS"
    dataset.Manufacturer = study.style.manufacturer
    dataset.ManufacturerModelName = study.style.model


def _describe_acquisition(dataset: Dataset, study: PhantomStudy) -> None:
    """Fill the NM Image module of a one-pass whole-body scan (PS3.3 C.8.4.9)."""
    length_mm = study.style.rows * study.style.spacing_mm
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "WHOLE BODY", "EMISSION"]
    dataset.WholeBodyTechnique = "1PS"
    dataset.ScanVelocity = study.style.scan_velocity_mm_s
    dataset.ScanLength = round(length_mm)
    dataset.ActualFrameDuration = round(1000 * length_mm / study.style.scan_velocity_mm_s)  # ms
    # Type 2 and empty in most real files (PS3.3 C.8.4.6).
    dataset.PatientOrientationCodeSequence = []
    dataset.PatientGantryRelationshipCodeSequence = []


def _describe_radiopharmaceutical(dataset: Dataset, study: PhantomStudy) -> None:
    """Fill the NM Isotope module (PS3.3 C.8.4.10); codes of CID 18 and CID 25."""
    limits = Dataset()
    limits.EnergyWindowLowerLimit, limits.EnergyWindowUpperLimit = ENERGY_WINDOW_KEV
    window = Dataset()
    window.EnergyWindowName = "Tc99m"
    window.EnergyWindowRangeSequence = [limits]
    dataset.EnergyWindowInformationSequence = [window]
    injected = Dataset()
    injected.Radiopharmaceutical = "Tc-99m HDP"
    injected.RadiopharmaceuticalStartTime = (_acquisition_time(study) - UPTAKE_TIME).strftime(
        "%H%M%S"
    )
    injected.RadionuclideTotalDose = study.style.injected_mbq  # MBq in NM, other than in PET
    nuclide = Dataset()
    nuclide.CodeValue = "C-163A8"
    nuclide.CodingSchemeDesignator = "SRT"
    nuclide.CodeMeaning = "^99m^Technetium"
    injected.RadionuclideCodeSequence = [nuclide]
    dataset.RadiopharmaceuticalInformationSequence = [injected]


def _put_pixels(dataset: Dataset, study: PhantomStudy, layout: ObjectLayout) -> None:
    frames = [_counts(study, frame) for frame in layout.frames]
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.NumberOfFrames = len(frames)
    dataset.Rows, dataset.Columns = frames[0].shape
    dataset.PixelSpacing = [study.style.spacing_mm, study.style.spacing_mm]
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit = 15
    dataset.PixelRepresentation = int(layout.signed)
    dataset.CountsAccumulated = sum(int(frame.sum()) for frame in frames)
    pixels = np.stack(frames).astype("<i2" if layout.signed else "<u2")
    dataset.add_new("PixelData", "OW", pixels.tobytes())


def _counts(study: PhantomStudy, frame: Frame) -> CountImage:
    return study.anterior if frame.view == "anterior" else study.posterior


def _acquisition_time(study: PhantomStudy) -> datetime.datetime:
    days, place = divmod(study.number, STUDIES_PER_DAY)
    return FIRST_DAY + datetime.timedelta(days=days, minutes=MINUTES_PER_STUDY * place)


def _uid(study: PhantomStudy, *purpose: str) -> UID:
    made_of = (study.seed, study.style.name, study.number, study.patient_number)
    words = ("bonescan phantom", *made_of, study.label, study.preset, *purpose)
    return generate_uid(entropy_srcs=["\x1f".join(map(str, words))])
