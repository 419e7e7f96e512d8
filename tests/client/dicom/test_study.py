"""What ingest hands on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom import Dataset

from bs_client.dicom import IngestSettings, Refusal, StudyReading, read_study
from bs_client.dicom.codes import IngestWarning
from bs_common.errors import ScanRefused

Make = Callable[..., Dataset]


def test_a_scan_carries_what_its_objects_state(
    make_object: Make, save: Callable[..., Path]
) -> None:
    dataset = make_object("anterior", "posterior")
    dataset.SyntheticData = "YES"
    file = save(dataset)

    scan = read_study([file], IngestSettings())

    assert (scan.study_uid, scan.patient_id) == (dataset.StudyInstanceUID, "P1")
    assert (scan.files, scan.scanner, scan.synthetic) == ((file,), "Maker Model", True)
    assert scan.anterior.spacing_mm == (9.04, 9.04)


def test_the_digest_depends_on_the_counts_alone(
    make_object: Make, read: Callable[..., StudyReading]
) -> None:
    two_frames = read(make_object("posterior", "anterior")).scan
    singles = read(make_object("anterior"), make_object("posterior")).scan

    assert two_frames is not None and singles is not None
    assert two_frames.pixel_sha256 == singles.pixel_sha256
    assert len(two_frames.pixel_sha256) == len(hashlib.sha256().hexdigest())


def test_a_verdict_names_the_evidence_of_each_view(
    make_object: Make, read: Callable[..., StudyReading]
) -> None:
    dataset = make_object("posterior", "anterior")
    del dataset.DetectorInformationSequence[0].ViewCodeSequence

    (verdict,) = read(dataset).verdicts

    assert verdict.evidence == ("anterior by view_code", "posterior by complement")


def test_a_view_without_its_partner_still_names_its_evidence(
    make_object: Make, read: Callable[..., StudyReading]
) -> None:
    (verdict,) = read(make_object("anterior")).verdicts

    assert verdict.verdict == "E_VIEW_MISSING"
    assert verdict.evidence == ("anterior by view_code",)


def test_a_refused_study_raises_its_code_with_a_remedy(
    make_object: Make, save: Callable[..., Path]
) -> None:
    file = save(make_object("anterior"))

    with pytest.raises(ScanRefused) as caught:
        read_study([file], IngestSettings())

    assert caught.value.refusal == Refusal.E_VIEW_MISSING
    assert "1 anterior and 0 posterior" in str(caught.value)
    assert caught.value.remedy == Refusal.E_VIEW_MISSING.remedy


def test_a_missing_view_names_the_codes_of_refused_objects(
    make_object: Make, read: Callable[..., StudyReading]
) -> None:
    cut = make_object("posterior")
    cut.PixelData = cut.PixelData[:-1000]

    refusal = read(make_object("anterior"), cut).refusal

    assert refusal is not None
    assert refusal.refusal == "E_VIEW_MISSING"
    assert "E_TRUNCATED" in str(refusal)


def test_a_study_without_files_is_refused() -> None:
    with pytest.raises(ScanRefused):
        read_study([], IngestSettings())


@pytest.mark.parametrize("code", [*Refusal, *IngestWarning])
def test_every_code_explains_itself_in_sentences(code: Refusal | IngestWarning) -> None:
    assert code.value == code.name
    assert code.meaning.endswith(".") and code.remedy.endswith(".")
