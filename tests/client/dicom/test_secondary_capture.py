from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime

import highdicom
import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.uid import SecondaryCaptureImageStorage, generate_uid

from bs_client.dicom.result_context import ResultInstance, SourceImage, encode
from bs_client.dicom.secondary_capture import make_secondary_capture
from bs_common.errors import DataError

Make = Callable[..., Dataset]
Pixels = NDArray[np.uint8]
INSTANCE = ResultInstance(
    series_instance_uid="1.2.3.1",
    series_number=9001,
    series_description="AI overlay",
    sop_instance_uid="1.2.3.2",
    software_versions="bs-client 1.0",
    content_date_time=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
)


@pytest.fixture
def picture() -> Pixels:
    """An RGB picture of odd width, every channel different."""
    values = np.arange(6 * 5 * 3) % 251
    return values.reshape(6, 5, 3).astype(np.uint8)


@pytest.fixture
def scan(make_object: Make) -> Dataset:
    dataset = make_object("anterior", "posterior")
    dataset.SeriesInstanceUID = generate_uid()
    dataset.PatientName, dataset.PatientSex, dataset.StudyID = "Doe^Jane", "F", "7"
    return dataset


def capture(pixels: Pixels, *sources: SourceImage, description: str = "Grad-CAM") -> Dataset:
    made = make_secondary_capture(
        pixels, sources, instance=INSTANCE, derivation_description=description
    )
    return dcmread(io.BytesIO(encode(made)))


def test_the_picture_comes_back_pixel_by_pixel(scan: Dataset, picture: Pixels) -> None:
    read = capture(picture, SourceImage(scan, (1, 2)))

    assert np.array_equal(read.pixel_array, picture)
    assert read.PhotometricInterpretation == "RGB"


def test_another_library_reads_the_same_picture(scan: Dataset, picture: Pixels) -> None:
    made = make_secondary_capture(
        picture, [SourceImage(scan, (1,))], instance=INSTANCE, derivation_description=""
    )

    image = highdicom.imread(io.BytesIO(encode(made)))

    assert np.array_equal(image.get_frame(1), picture)


def test_it_is_filed_in_the_scan_s_study_in_a_series_of_its_own(
    scan: Dataset, picture: Pixels
) -> None:
    read = capture(picture, SourceImage(scan, (1, 2)))

    assert read.SOPClassUID == read.file_meta.MediaStorageSOPClassUID
    assert read.SOPClassUID == SecondaryCaptureImageStorage
    assert read.StudyInstanceUID == scan.StudyInstanceUID
    assert read.SeriesInstanceUID == "1.2.3.1" != scan.SeriesInstanceUID
    assert read.SOPInstanceUID == read.file_meta.MediaStorageSOPInstanceUID == "1.2.3.2"
    assert (read.PatientName, read.PatientID, read.StudyID) == ("Doe^Jane", "P1", "7")


def test_it_says_that_it_is_derived_burned_in_and_not_for_diagnosis(
    scan: Dataset, picture: Pixels
) -> None:
    read = capture(picture, SourceImage(scan, (1, 2)))

    assert list(read.ImageType) == ["DERIVED", "SECONDARY"]
    assert read.BurnedInAnnotation == "YES"
    assert "not for diagnosis" in read.ImageComments
    assert read.ContentQualification == "RESEARCH"


def test_it_refers_to_the_frames_it_was_made_from(scan: Dataset, picture: Pixels) -> None:
    (source,) = capture(picture, SourceImage(scan, (1, 2))).SourceImageSequence

    assert source.ReferencedSOPInstanceUID == scan.SOPInstanceUID
    assert source.ReferencedFrameNumber == [1, 2]


# PS3.3 A.8.1.3: type 1 attributes have a value, type 2 are there.
TYPE_1 = """SOPClassUID SOPInstanceUID StudyInstanceUID SeriesInstanceUID Modality ConversionType
    Rows Columns BitsAllocated BitsStored HighBit SamplesPerPixel PhotometricInterpretation
    PixelRepresentation PlanarConfiguration PixelData"""
TYPE_2 = """PatientName PatientID PatientBirthDate PatientSex StudyDate StudyTime StudyID
    ReferringPhysicianName AccessionNumber SeriesNumber InstanceNumber PatientOrientation"""


@pytest.mark.parametrize("keyword", TYPE_1.split())
def test_every_type_1_attribute_has_a_value(scan: Dataset, picture: Pixels, keyword: str) -> None:
    assert capture(picture, SourceImage(scan, (1,)))[keyword].value not in ("", None)


@pytest.mark.parametrize("keyword", TYPE_2.split())
def test_every_type_2_attribute_is_there(scan: Dataset, picture: Pixels, keyword: str) -> None:
    assert keyword in capture(picture, SourceImage(scan, (1,)))


def test_a_synthetic_scan_s_picture_says_so(scan: Dataset, picture: Pixels) -> None:
    scan.SyntheticData = "YES"

    assert capture(picture, SourceImage(scan, (1,))).SyntheticData == "YES"


def test_a_lossy_scan_s_picture_stays_marked_as_lossy(scan: Dataset, picture: Pixels) -> None:
    scan.LossyImageCompression, scan.LossyImageCompressionRatio = "01", 12.5

    read = capture(picture, SourceImage(scan, (1,)))

    assert (read.LossyImageCompression, read.LossyImageCompressionRatio) == ("01", 12.5)


def test_making_it_changes_nothing_in_the_scan(scan: Dataset, picture: Pixels) -> None:
    before = encode(scan)

    capture(picture, SourceImage(scan, (1, 2)))

    assert encode(scan) == before


@pytest.mark.parametrize(
    "pixels",
    [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3), np.float32)],
    ids=["grey", "four channels", "float"],
)
def test_pixels_that_are_no_rgb_picture_are_refused(scan: Dataset, pixels: Pixels) -> None:
    with pytest.raises(ValueError, match="expected RGB"):
        capture(pixels, SourceImage(scan, (1,)))


def test_a_description_longer_than_its_vr_is_refused(scan: Dataset, picture: Pixels) -> None:
    with pytest.raises(ValueError, match="1024"):
        capture(picture, SourceImage(scan, (1,)), description="x" * 1025)


def test_a_picture_of_no_scan_is_refused(picture: Pixels) -> None:
    with pytest.raises(DataError, match="0 studies"):
        capture(picture)
