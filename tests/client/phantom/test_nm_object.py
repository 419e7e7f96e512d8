from __future__ import annotations

import io

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from bs_client.phantom import PhantomStudy, SiteName
from bs_client.phantom.nm_object import encoded, nm_objects
from bs_client.phantom.window import View

SITES: tuple[SiteName, ...] = ("aachen", "aalborg", "namur")
NM_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.20"
EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
# PS3.3 A.5: what every NM image must state (type 1), here or for whole-body scans.
REQUIRED = (
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "FrameOfReferenceUID",
    "Modality",
    "ImageType",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PixelSpacing",
    "NumberOfFrames",
    "FrameIncrementPointer",
    "EnergyWindowVector",
    "NumberOfEnergyWindows",
    "DetectorVector",
    "NumberOfDetectors",
    "ActualFrameDuration",
    "WholeBodyTechnique",
    "ScanVelocity",
    "ScanLength",
    "CountsAccumulated",
    "EnergyWindowInformationSequence",
    "RadiopharmaceuticalInformationSequence",
    "DetectorInformationSequence",
    "PatientOrientationCodeSequence",
    "PatientGantryRelationshipCodeSequence",
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "PatientAge",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "SeriesNumber",
    "InstanceNumber",
    "AccessionNumber",
    "ReferringPhysicianName",
    "Manufacturer",
    "PixelData",
)


def first_of(studies: tuple[PhantomStudy, ...], site: SiteName) -> PhantomStudy:
    return next(study for study in studies if study.style.name == site)


def read_back(study: PhantomStudy) -> dict[str, Dataset]:
    return {
        suffix: pydicom.dcmread(io.BytesIO(encoded(dataset)))
        for suffix, dataset in nm_objects(study).items()
    }


def view_codes(dataset: Dataset) -> list[tuple[str, str]]:
    codes = [item.ViewCodeSequence[0] for item in dataset.DetectorInformationSequence]
    return [(code.CodeValue, code.CodingSchemeDesignator) for code in codes]


@pytest.mark.parametrize("site", SITES)
def test_every_object_is_a_complete_synthetic_nm_whole_body_image(
    studies: tuple[PhantomStudy, ...], site: SiteName
) -> None:
    for dataset in read_back(first_of(studies, site)).values():
        assert [keyword for keyword in REQUIRED if keyword not in dataset] == []
        assert dataset.SyntheticData == "YES"
        assert dataset.SOPClassUID == dataset.file_meta.MediaStorageSOPClassUID == NM_IMAGE_STORAGE
        assert dataset.file_meta.TransferSyntaxUID == EXPLICIT_LITTLE_ENDIAN
        assert list(dataset.ImageType) == ["ORIGINAL", "PRIMARY", "WHOLE BODY", "EMISSION"]
        assert list(dataset.FrameIncrementPointer) == [0x00540010, 0x00540020]
        limits = dataset.EnergyWindowInformationSequence[0].EnergyWindowRangeSequence[0]
        assert limits.EnergyWindowLowerLimit < 140.5 < limits.EnergyWindowUpperLimit


@pytest.mark.parametrize("site", SITES)
def test_patients_are_named_as_phantoms(studies: tuple[PhantomStudy, ...], site: SiteName) -> None:
    study = first_of(studies, site)
    letter = {"aachen": "A", "aalborg": "B", "namur": "C"}[site]

    for dataset in read_back(study).values():
        assert dataset.PatientID == f"PHANTOM-{letter}-{study.patient_number:04d}"
        assert dataset.PatientName == f"PHANTOM^{letter}{study.patient_number}"
        assert dataset.PatientAge == f"{study.patient.age_years:03d}Y"


def test_the_siemens_like_object_holds_the_anterior_frame_first_with_private_codes(
    studies: tuple[PhantomStudy, ...],
) -> None:
    study = first_of(studies, "aachen")

    objects = read_back(study)

    assert list(objects) == [""]
    dataset = objects[""]
    np.testing.assert_array_equal(dataset.pixel_array, [study.anterior, study.posterior])
    assert view_codes(dataset) == [("FACE ANT", "99NMG"), ("FACE POST", "99NMG")]
    assert [item.StartAngle for item in dataset.DetectorInformationSequence] == [180, 0]
    assert list(dataset.DetectorVector) == [1, 2]
    assert (dataset.PixelRepresentation, *dataset.PixelSpacing) == (0, 2.3976, 2.3976)
    assert study.anterior.sum() + study.posterior.sum() == dataset.CountsAccumulated


def test_the_ge_like_study_is_two_signed_objects_told_apart_by_name(
    studies: tuple[PhantomStudy, ...],
) -> None:
    study = first_of(studies, "aalborg")
    expected: dict[str, View] = {"_e": "anterior", "_f": "posterior"}

    objects = read_back(study)

    assert list(objects) == list(expected)
    assert len({dataset.StudyInstanceUID for dataset in objects.values()}) == 1
    assert len({dataset.SeriesInstanceUID for dataset in objects.values()}) == 1
    assert len({dataset.SOPInstanceUID for dataset in objects.values()}) == 2
    for suffix, dataset in objects.items():
        np.testing.assert_array_equal(dataset.pixel_array, getattr(study, expected[suffix]))
        assert (dataset.PixelRepresentation, dataset.NumberOfFrames) == (1, 1)
        assert "ViewCodeSequence" not in dataset.DetectorInformationSequence[0]
        block = dataset.private_block(0x0011, "GEMS_GENIE_1")
        names = [dataset.ImageID, *(block[element].value for element in (0x10, 0x12, 0x30))]
        assert names == [f"WHOLE BODY{suffix.upper()}"] * 4


def test_the_philips_like_object_holds_the_posterior_frame_first(
    studies: tuple[PhantomStudy, ...],
) -> None:
    study = first_of(studies, "namur")

    objects = read_back(study)

    assert list(objects) == [""]
    dataset = objects[""]
    np.testing.assert_array_equal(dataset.pixel_array, [study.posterior, study.anterior])
    assert view_codes(dataset) == [("G-5216", "99SDM"), ("G-5215", "99SDM")]
    assert (dataset.Rows, dataset.Columns, dataset.PixelSpacing[0]) == (1024, 512, 1.95)


def test_identifiers_are_unique_to_a_study_and_repeatable(
    studies: tuple[PhantomStudy, ...],
) -> None:
    uids = [nm_objects(study).popitem()[1].StudyInstanceUID for study in studies]
    again = [nm_objects(study).popitem()[1].StudyInstanceUID for study in studies]

    assert uids == again
    assert len(set(uids)) == len(studies)
