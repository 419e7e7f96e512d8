"""Rules 3 to 8: can this object be a whole-body scan at all?"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.uid import SecondaryCaptureImageStorage

from bs_client.dicom import StudyReading

Make = Callable[..., Dataset]
CodeOf = Callable[..., str]


@pytest.fixture
def scan(make_object: Make) -> Dataset:
    return make_object("anterior", "posterior")


def test_another_modality_is_refused(scan: Dataset, code_of: CodeOf) -> None:
    scan.Modality = "PT"

    assert code_of(scan) == "E_MODALITY"


@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL_422", "PALETTE COLOR"])
def test_a_coloured_image_is_a_screen_capture(
    scan: Dataset, code_of: CodeOf, photometric: str
) -> None:
    scan.PhotometricInterpretation = photometric

    assert code_of(scan) == "E_SCREEN_CAPTURE"


def test_three_samples_per_pixel_are_a_screen_capture(scan: Dataset, code_of: CodeOf) -> None:
    scan.SamplesPerPixel = 3

    assert code_of(scan) == "E_SCREEN_CAPTURE"


def test_burned_in_text_is_refused(scan: Dataset, code_of: CodeOf) -> None:
    scan.BurnedInAnnotation = "YES"

    assert code_of(scan) == "E_BURNED_IN"


def test_a_transmission_scan_is_refused(scan: Dataset, code_of: CodeOf) -> None:
    scan.ImageType = ["ORIGINAL", "PRIMARY", "WHOLE BODY", "TRANSMISSION"]

    assert code_of(scan) == "E_TRANSMISSION"


def test_a_grey_16_bit_secondary_capture_is_accepted_with_a_warning(
    scan: Dataset, read: Callable[..., StudyReading]
) -> None:
    scan.SOPClassUID = SecondaryCaptureImageStorage

    accepted = read(scan).scan

    assert accepted is not None
    assert accepted.warnings == ("W_SC_AS_NM",)


def test_an_8_bit_secondary_capture_is_refused(scan: Dataset, code_of: CodeOf) -> None:
    scan.SOPClassUID = SecondaryCaptureImageStorage
    scan.BitsAllocated, scan.BitsStored, scan.HighBit = 8, 8, 7
    scan.PixelData = np.frombuffer(scan.PixelData, "<u2").astype(np.uint8).tobytes()

    assert code_of(scan) == "E_SECONDARY_CAPTURE"


def test_an_8_bit_nuclear_object_is_accepted(scan: Dataset, code_of: CodeOf) -> None:
    scan.BitsAllocated, scan.BitsStored, scan.HighBit = 8, 8, 7
    scan.PixelData = np.frombuffer(scan.PixelData, "<u2").astype(np.uint8).tobytes()

    assert code_of(scan) == "accepted"


@pytest.mark.parametrize("kind", ["STATIC", "DYNAMIC", "TOMO", "RECON TOMO", "GATED"])
def test_another_kind_of_acquisition_is_not_whole_body(
    scan: Dataset, code_of: CodeOf, kind: str
) -> None:
    scan.ImageType = ["ORIGINAL", "PRIMARY", kind, "EMISSION"]

    assert code_of(scan) == "E_NOT_WHOLE_BODY"


@pytest.mark.parametrize("kind", ["WHOLE_BODY", "WHOLEBODY", "Whole Body"])
def test_other_spellings_of_whole_body_are_understood(
    scan: Dataset, code_of: CodeOf, kind: str
) -> None:
    scan.ImageType = ["ORIGINAL", "PRIMARY", kind, "EMISSION"]

    assert code_of(scan) == "accepted"


def test_a_tall_matrix_stands_for_a_missing_image_type(
    scan: Dataset, read: Callable[..., StudyReading]
) -> None:
    del scan.ImageType

    accepted = read(scan).scan

    assert accepted is not None
    assert accepted.warnings == ("W_NO_IMAGE_TYPE",)


def test_a_square_matrix_without_image_type_is_not_whole_body(
    scan: Dataset, code_of: CodeOf
) -> None:
    del scan.ImageType
    scan.Rows = scan.Columns = 128

    assert code_of(scan) == "E_NOT_WHOLE_BODY"


def test_the_earlier_rule_decides(scan: Dataset, code_of: CodeOf) -> None:
    scan.BurnedInAnnotation = "YES"
    scan.ImageType = ["ORIGINAL", "PRIMARY", "STATIC", "TRANSMISSION"]

    assert code_of(scan) == "E_BURNED_IN"
