"""Rules 1 and 2: is it DICOM, and is there an image?"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian

from bs_client.dicom import IngestSettings, StudyReading, dataset_file, inspect_study

Make = Callable[..., Dataset]


def verdict(file: Path) -> str:
    return inspect_study([file], IngestSettings()).verdicts[0].verdict


@pytest.mark.parametrize("content", [b"", b"file,label\nscan_1,1\n", b"\x89PNG\r\n\x1a\n" * 50])
def test_a_file_that_is_no_dicom_is_named_so(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "labels.csv"
    file.write_bytes(content)

    assert verdict(file) == "E_NOT_DICOM"


def test_a_named_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    assert verdict(tmp_path / "pipe") == "E_NOT_DICOM"


def test_an_image_without_the_prefix_is_accepted_with_a_warning(
    make_object: Make, save: Callable[..., Path]
) -> None:
    file = save(make_object("anterior", "posterior"))
    file.write_bytes(file.read_bytes()[132:])

    reading = inspect_study([file], IngestSettings())

    assert reading.scan is not None
    assert reading.scan.warnings == ("W_NO_PREAMBLE",)


def test_a_file_without_transfer_syntax_is_refused(
    make_object: Make, save: Callable[..., Path]
) -> None:
    file = save(make_object("anterior", "posterior"))
    # Rename the element (0002,0010) to one that nobody reads.
    file.write_bytes(file.read_bytes().replace(b"\x02\x00\x10\x00UI", b"\x02\x00\x11\x00UI", 1))

    assert verdict(file) == "E_NO_TRANSFER_SYNTAX"


def test_a_nuclear_object_that_ends_before_its_pixels_is_truncated(
    make_object: Make, save: Callable[..., Path]
) -> None:
    file = save(make_object("anterior", "posterior"))
    file.write_bytes(file.read_bytes()[:1000])

    assert verdict(file) == "E_TRUNCATED"


def test_another_object_without_pixels_is_passed_over(
    make_object: Make, code_of: Callable[..., str]
) -> None:
    report = make_object("anterior", "posterior")
    report.Modality = "SR"
    del report.PixelData

    assert code_of(report) == "E_NO_PIXELS"


def test_a_deflated_file_is_read(make_object: Make, code_of: Callable[..., str]) -> None:
    deflated = make_object("anterior", "posterior")
    deflated.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian

    assert code_of(deflated) == "accepted"


def test_a_deflated_file_that_grows_beyond_the_bound_is_not_opened(
    make_object: Make, save: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    small = make_object("anterior", "posterior")
    small.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    file = save(small)
    monkeypatch.setattr(dataset_file, "MAX_INFLATED_BYTES", 10_000)

    assert len(zlib.compress(bytes(10_000))) < 100
    assert verdict(file) == "E_DECODE"


def test_no_identifier_stands_in_a_refusal(
    make_object: Make, read: Callable[..., StudyReading]
) -> None:
    alone = make_object("anterior")
    alone.PatientID, alone.PatientName = "SECRET-17", "Secret^Name"

    refusal = read(alone).refusal

    assert refusal is not None
    assert "secret" not in f"{refusal} {refusal.remedy}".lower()
    assert str(alone.StudyInstanceUID) not in str(refusal)
