from __future__ import annotations

import hashlib
import math
import stat
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread

from bs_client.data.preprocess import prepare
from bs_client.dicom import IngestSettings, find_studies, inspect_study, read_study
from bs_client.predict.outcome import Outcome
from bs_client.predict.studies import Predictor, Wanted, predict_studies, prepare_folder
from bs_common.errors import ConfigError

MakePredictor = Callable[..., Predictor]


def digests(folder: Path) -> dict[Path, str]:
    return {
        file: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.rglob("*")
        if file.is_file()
    }


def identifiers(folder: Path) -> set[str]:
    found: set[str] = set()
    for file in folder.rglob("*.dcm"):
        dataset = dcmread(file, stop_before_pixels=True)
        found |= {str(dataset.PatientName), dataset.PatientID, dataset.StudyInstanceUID}
    return found


@dataclass(frozen=True)
class Run:
    folder: Path
    outcomes: list[Outcome]
    before: dict[Path, str]


@pytest.fixture(scope="module")
def full_run(
    scans: Path, make_predictor: MakePredictor, tmp_path_factory: pytest.TempPathFactory
) -> Run:
    """Everything written for the three studies, and what the scans were before."""
    before = digests(scans)
    predictor = make_predictor(tmp_path_factory.mktemp("full"), maps=True, dicom=True)
    return Run(predictor.folder, list(predict_studies([scans], predictor)), before)


def test_every_study_is_read_and_every_other_file_named(full_run: Run) -> None:
    accepted = [outcome for outcome in full_run.outcomes if outcome.accepted]
    others = [outcome for outcome in full_run.outcomes if not outcome.accepted]

    assert [outcome.case for outcome in accepted] == [1, 2, 3]
    names = {file.name for outcome in others for file in outcome.files}
    assert names == {"labels.csv", "0001.png", "0003.png"}
    assert {outcome.verdict for outcome in others} == {"E_NOT_DICOM"}


def test_the_probability_is_that_of_the_prepared_scan(scans: Path, full_run: Run) -> None:
    scan = read_study(find_studies(scans).studies[0].files, IngestSettings())
    image = prepare(
        scan.anterior.counts, scan.posterior.counts, height=64, width=32, profile="paper"
    ).image

    expected = 1 / (1 + math.exp(-image.mean()))
    assert full_run.outcomes[0].probability == pytest.approx(expected, abs=1e-6)


def test_the_dicom_picture_is_the_overlay(full_run: Run) -> None:
    for outcome in full_run.outcomes[:3]:
        overlay = np.asarray(Image.open(full_run.folder / outcome.overlay))
        stored = dcmread(full_run.folder / outcome.dicom[0])

        assert np.array_equal(stored.pixel_array, overlay)
        assert stored.StudyInstanceUID == outcome.study_uid


def test_the_report_states_the_probability_of_its_study(full_run: Run) -> None:
    for outcome in full_run.outcomes[:3]:
        report = dcmread(full_run.folder / outcome.dicom[1])

        assert report.StudyInstanceUID == outcome.study_uid
        assert f"{outcome.probability:.6f}".rstrip("0") in str(report)


def test_files_are_named_by_case_and_their_owner_s_alone(scans: Path, full_run: Run) -> None:
    files = list(full_run.folder.iterdir())

    assert {file.name for file in files} == {
        f"case-000{case}{end}"
        for case in (1, 2, 3)
        for end in (".png", "-overlay.dcm", "-report.dcm")
    }
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    names = " ".join(file.name for file in files)
    assert not [word for word in identifiers(scans) if word in names]


def test_the_scans_stay_as_they_were(scans: Path, full_run: Run) -> None:
    assert digests(scans) == full_run.before


def test_each_study_and_kind_has_a_series_of_its_own(full_run: Run) -> None:
    datasets = [dcmread(file) for file in full_run.folder.glob("*.dcm")]

    assert len({dataset.SeriesInstanceUID for dataset in datasets}) == 6
    assert len({dataset.SOPInstanceUID for dataset in datasets}) == 6


def test_a_second_run_names_the_same_objects(
    scans: Path, tmp_path: Path, make_predictor: MakePredictor, full_run: Run
) -> None:
    first, *_ = predict_studies([scans], make_predictor(tmp_path, dicom=True))

    again = dcmread(tmp_path / first.dicom[0])
    report = dcmread(full_run.folder / full_run.outcomes[0].dicom[1])
    assert again.SeriesInstanceUID == report.SeriesInstanceUID
    assert again.SOPInstanceUID == report.SOPInstanceUID


def test_a_refused_study_gets_its_code_and_the_others_their_result(
    scans: Path, tmp_path: Path, make_predictor: MakePredictor
) -> None:
    lonely = scans / "scans" / "0001_e.dcm"
    pair = sorted((scans / "scans").glob("0002_*"))

    refused, accepted = predict_studies([lonely, *pair], make_predictor(tmp_path))

    assert (refused.case, refused.verdict) == (1, "E_VIEW_MISSING")
    assert refused.probability is None
    assert (accepted.case, accepted.accepted) == (2, True)


def test_a_scan_that_cannot_be_filed_still_gets_its_probability_and_picture(
    scans: Path, tmp_path: Path, make_predictor: MakePredictor
) -> None:
    for view in "ef":
        dataset = dcmread(scans / "scans" / f"0001_{view}.dcm")
        del dataset.SeriesInstanceUID
        dataset.save_as(tmp_path / f"{view}.dcm")
    predictor = make_predictor(tmp_path / "out", maps=True, dicom=True)

    (outcome,) = predict_studies([tmp_path / "e.dcm", tmp_path / "f.dcm"], predictor)

    assert outcome.probability is not None
    assert outcome.overlay == "case-0001.png"
    assert outcome.dicom == ()
    assert "no valid Series Instance UID" in outcome.remark


def test_views_of_two_geometries_still_get_probability_and_report(
    scans: Path, tmp_path: Path, make_predictor: MakePredictor
) -> None:
    reading = inspect_study(find_studies(scans).studies[0].files, IngestSettings())
    assert reading.scan is not None
    narrow = replace(reading.scan.posterior, counts=reading.scan.posterior.counts[:, 8:-8].copy())
    predictor = make_predictor(tmp_path, maps=True, dicom=True)

    outcome = predictor.read(1, replace(reading.scan, posterior=narrow))

    assert outcome.probability is not None
    assert "no picture: anterior" in outcome.remark
    assert outcome.dicom == ("case-0001-report.dcm",)


def test_a_view_without_contrast_fails_alone(
    scans: Path, tmp_path: Path, make_predictor: MakePredictor
) -> None:
    reading = inspect_study(find_studies(scans).studies[0].files, IngestSettings())
    assert reading.scan is not None
    flat = replace(reading.scan.anterior, counts=np.ones_like(reading.scan.anterior.counts))

    outcome = make_predictor(tmp_path).read(1, replace(reading.scan, anterior=flat))

    assert (outcome.verdict, outcome.probability) == ("failed", None)
    assert "anterior view" in outcome.remark


def test_without_maps_the_report_alone_is_written(
    scans: Path, tmp_path: Path, make_predictor: MakePredictor
) -> None:
    first, *_ = predict_studies([scans], make_predictor(tmp_path, dicom=True))

    assert first.overlay == ""
    assert first.dicom == ("case-0001-report.dcm",)


def test_a_drawing_is_written_where_it_is_wanted(
    scans: Path, tmp_path: Path, make_predictor: MakePredictor
) -> None:
    predictor = make_predictor(tmp_path)
    wanted = Wanted(maps=False, dicom=True, seg=True, gsps=True)

    first, *_ = predict_studies([scans], replace(predictor, wanted=wanted))

    # The stand-in's map is nowhere above 0, so that there is nothing to segment.
    assert first.dicom == ("case-0001-report.dcm", "case-0001-gsps.dcm")
    assert not first.remark


def test_results_do_not_go_among_the_scans(scans: Path) -> None:
    with pytest.raises(ConfigError, match="folder of the scans"):
        prepare_folder(scans / "results", [scans])

    assert not (scans / "results").exists()


def test_a_missing_input_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        prepare_folder(tmp_path / "results", [tmp_path / "nowhere"])


def test_an_earlier_run_s_results_are_removed_and_nothing_else(tmp_path: Path) -> None:
    folder, scan = tmp_path / "results", tmp_path / "scan.dcm"
    scan.touch()
    folder.mkdir()
    for name in ("case-0007.png", "case-0007-report.dcm", "results.csv", "notes.txt"):
        (folder / name).touch()

    prepare_folder(folder, [scan])

    assert [file.name for file in folder.iterdir()] == ["notes.txt"]
