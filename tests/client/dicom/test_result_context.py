from __future__ import annotations

import io
import logging
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import NuclearMedicineImageStorage, SecondaryCaptureImageStorage, generate_uid

from bs_client.dicom.result_context import (
    ResultInstance,
    SourceImage,
    check_one_study,
    encode,
    take_over_patient_and_study,
)
from bs_common.errors import DataError

Make = Callable[..., Dataset]


@pytest.fixture
def scan(make_object: Make) -> Dataset:
    dataset = make_object("anterior", "posterior")
    dataset.SeriesInstanceUID = generate_uid()
    return dataset


def test_a_reference_names_class_instance_and_frames(scan: Dataset) -> None:
    item = SourceImage(scan, (1, 2)).reference()

    assert item.ReferencedSOPClassUID == NuclearMedicineImageStorage
    assert item.ReferencedSOPInstanceUID == scan.SOPInstanceUID
    assert item.ReferencedFrameNumber == [1, 2]


def test_an_object_of_a_single_frame_class_is_referenced_without_frames(scan: Dataset) -> None:
    scan.SOPClassUID, scan.NumberOfFrames = SecondaryCaptureImageStorage, 1

    assert "ReferencedFrameNumber" not in SourceImage(scan, (1,)).reference()


def test_a_nuclear_object_of_one_frame_is_referenced_with_it(scan: Dataset) -> None:
    del scan.NumberOfFrames

    assert SourceImage(scan, (1,)).reference().ReferencedFrameNumber == 1


def test_a_class_named_in_the_file_meta_only_is_found(scan: Dataset) -> None:
    scan.file_meta.MediaStorageSOPClassUID = scan.SOPClassUID
    del scan.SOPClassUID

    assert SourceImage(scan, (1,)).sop_class_uid == NuclearMedicineImageStorage


@pytest.mark.parametrize(
    ("keyword", "name"),
    [
        ("StudyInstanceUID", "Study Instance UID"),
        ("SeriesInstanceUID", "Series Instance UID"),
        ("SOPInstanceUID", "SOP Instance UID"),
        ("SOPClassUID", "SOP Class UID"),
    ],
)
def test_a_scan_without_a_uid_cannot_be_referred_to(scan: Dataset, keyword: str, name: str) -> None:
    delattr(scan, keyword)

    with pytest.raises(DataError, match=f"no valid {name}"):
        SourceImage(scan, (1,))


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
def test_a_malformed_uid_is_refused_without_being_quoted(scan: Dataset) -> None:
    scan.StudyInstanceUID = "1.2.x-Smith"

    with pytest.raises(DataError) as refused:
        SourceImage(scan, (1,))

    assert "Smith" not in str(refused.value)


def test_objects_of_two_studies_have_no_common_result(scan: Dataset, make_object: Make) -> None:
    other = make_object("anterior")
    other.SeriesInstanceUID, other.StudyInstanceUID = generate_uid(), generate_uid()

    with pytest.raises(DataError, match="2 studies"):
        check_one_study([SourceImage(scan, (1,)), SourceImage(other, (1,))])
    with pytest.raises(DataError, match="0 studies"):
        check_one_study([])


@pytest.mark.filterwarnings("error")
def test_an_unusual_name_is_taken_over_unchanged_and_unlogged(
    scan: Dataset, caplog: pytest.LogCaptureFixture
) -> None:
    scan.SpecificCharacterSet = "ISO_IR 100"
    scan.PatientName = "Müller"
    target = Dataset()

    with caplog.at_level(logging.DEBUG):
        take_over_patient_and_study(target, SourceImage(scan, (1,)))

    assert str(target.PatientName) == "Müller"
    assert target.SpecificCharacterSet == "ISO_IR 100"
    assert "ller" not in caplog.text


def test_what_the_scan_does_not_state_is_there_and_empty(scan: Dataset) -> None:
    target = Dataset()

    take_over_patient_and_study(target, SourceImage(scan, (1,)))

    for keyword in ("PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber"):
        assert keyword in target
        assert not target[keyword].value
    assert "PatientAge" not in target


def test_a_result_cannot_take_its_own_uid_as_its_series() -> None:
    uid = generate_uid()

    with pytest.raises(ValueError, match="UIDs of their own"):
        ResultInstance(uid, 1, "overlay", uid, "1.0", datetime(2026, 1, 2, tzinfo=UTC))


def test_a_value_that_cannot_be_written_is_an_intended_error_without_the_value() -> None:
    dataset = Dataset()
    dataset.PatientName = "Smith^Anna"
    dataset.Rows = 3
    dataset["Rows"]._value = "Smith"

    with pytest.raises(DataError, match="cannot be written") as refused:
        encode(dataset)

    assert "Smith" not in str(refused.value)


def test_an_encoded_result_is_a_dicom_file(scan: Dataset) -> None:
    assert dcmread(io.BytesIO(encode(scan))).SOPInstanceUID == scan.SOPInstanceUID
