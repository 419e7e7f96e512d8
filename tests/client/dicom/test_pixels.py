"""Rules 9 and 10: pixels within bounds, and what is done to them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.data import get_testdata_file
from pydicom.uid import ExplicitVRBigEndian, RLELossless

from bs_client.dicom import IngestSettings, StudyReading, inspect_study

Make = Callable[..., Dataset]
CodeOf = Callable[..., str]
Read = Callable[..., StudyReading]


@pytest.fixture
def scan(make_object: Make) -> Dataset:
    return make_object("anterior", "posterior")


def test_a_file_cut_within_its_pixels_is_truncated(
    scan: Dataset, save: Callable[..., Path]
) -> None:
    file = save(scan)
    file.write_bytes(file.read_bytes()[: -len(scan.PixelData) // 2])

    reading = inspect_study([file], IngestSettings())

    assert reading.verdicts[0].verdict == "E_TRUNCATED"


def test_pixels_shorter_than_the_matrix_are_truncated(scan: Dataset, code_of: CodeOf) -> None:
    scan.PixelData = scan.PixelData[:-1000]

    assert code_of(scan) == "E_TRUNCATED"


@pytest.mark.parametrize("stated", [1, 3])
def test_another_number_of_frames_than_stated_is_refused(
    scan: Dataset, code_of: CodeOf, stated: int
) -> None:
    scan.NumberOfFrames = stated

    assert code_of(scan) == "E_FRAME_COUNT"


def test_compressed_frames_are_counted(scan: Dataset, code_of: CodeOf) -> None:
    scan.compress(RLELossless, generate_instance_uid=False)
    scan.NumberOfFrames = 3

    assert code_of(scan) == "E_FRAME_COUNT"


def test_a_matrix_above_the_bound_is_not_decoded(scan: Dataset, code_of: CodeOf) -> None:
    scan.Rows, scan.Columns = 65535, 20000

    assert code_of(scan) == "E_DECODE"


def test_a_stream_that_no_decoder_reads_names_its_remedy() -> None:
    file = Path(str(get_testdata_file("JPGExtended.dcm")))

    reading = inspect_study([file], IngestSettings())

    assert reading.refusal is not None
    assert reading.refusal.refusal == "E_DECODE"
    assert "JPEG Extended" in str(reading.refusal)
    assert "pylibjpeg-libjpeg" in reading.refusal.remedy


def test_run_length_frames_equal_plain_ones(
    scan: Dataset, read: Read, body: NDArray[np.uint16]
) -> None:
    scan.compress(RLELossless, generate_instance_uid=False)

    accepted = read(scan).scan

    assert accepted is not None
    np.testing.assert_array_equal(accepted.anterior.counts, body)
    np.testing.assert_array_equal(accepted.posterior.counts, body[:, ::-1])


def test_big_endian_pixels_equal_little_endian_ones(
    scan: Dataset, save: Callable[..., Path], tmp_path: Path, body: NDArray[np.uint16]
) -> None:
    scan.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    scan.PixelData = np.frombuffer(scan.PixelData, "<u2").astype(">u2").tobytes()
    scan["PixelData"].VR = "OW"
    file = tmp_path / "big"
    scan.save_as(file, implicit_vr=False, little_endian=False, enforce_file_format=True)

    accepted = inspect_study([file], IngestSettings()).scan

    assert accepted is not None
    np.testing.assert_array_equal(accepted.anterior.counts, body)


def test_black_on_white_is_inverted(scan: Dataset, read: Read, body: NDArray[np.uint16]) -> None:
    scan.PhotometricInterpretation = "MONOCHROME1"
    stored = np.frombuffer(scan.PixelData, "<u2")
    scan.PixelData = (stored.max() - stored).astype("<u2").tobytes()

    accepted = read(scan).scan

    assert accepted is not None
    assert accepted.warnings == ("W_MONO1_INVERTED",)
    np.testing.assert_array_equal(accepted.anterior.counts, body)


def test_negative_pixels_are_clipped_and_counted(scan: Dataset, read: Read) -> None:
    stored = np.frombuffer(scan.PixelData, "<i2").copy()
    stored[[5, 9, 14]] = -30
    scan.PixelRepresentation = 1
    scan.PixelData = stored.tobytes()

    accepted = read(scan).scan

    assert accepted is not None
    assert accepted.notes == ("W_NEGATIVE_CLIPPED: 3 pixels",)
    assert accepted.anterior.counts.min() == 0


def test_lossy_compression_is_told(scan: Dataset, read: Read) -> None:
    scan.LossyImageCompression = "01"

    accepted = read(scan).scan

    assert accepted is not None
    assert accepted.warnings == ("W_LOSSY",)


def test_overlays_are_left_out_and_told(scan: Dataset, read: Read) -> None:
    scan.add_new(0x60023000, "OW", bytes(2048))

    accepted = read(scan).scan

    assert accepted is not None
    assert accepted.warnings == ("W_OVERLAY_IGNORED",)
