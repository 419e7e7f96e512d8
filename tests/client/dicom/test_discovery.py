"""Finding studies among any files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydicom import Dataset

from bs_client.dicom import find_studies

Make = Callable[..., Dataset]


def test_objects_are_grouped_by_study_under_any_file_name(
    make_object: Make, save: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "deep").mkdir()
    first = save(make_object("anterior"), "IM0001")
    second = save(make_object("posterior"), "deep/scan.png")
    other = make_object("anterior", "posterior")
    other.StudyInstanceUID, other.PatientID = "1.2.3", "P2"
    third = save(other, "x")

    index = find_studies(tmp_path)

    found = {(one.study_uid, one.patient_id): set(one.files) for one in index.studies}
    assert found == {
        ("1.2.826.0.1.3680043.8.498.1", "P1"): {first, second},
        ("1.2.3", "P2"): {third},
    }


def test_other_files_get_their_code_and_join_no_study(
    make_object: Make, save: Callable[..., Path], tmp_path: Path
) -> None:
    ct = make_object("anterior")
    ct.Modality = "CT"
    save(make_object("anterior", "posterior"), "scan")
    save(ct, "ct")
    (tmp_path / "labels.csv").write_text("file,label\n")

    index = find_studies(tmp_path)

    assert {one.file.name: one.verdict for one in index.verdicts} == {
        "ct": "E_MODALITY",
        "labels.csv": "E_NOT_DICOM",
    }
    assert [one.name for study in index.studies for one in study.files] == ["scan"]


def test_a_link_back_into_the_tree_is_followed_once(
    make_object: Make, save: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "a").mkdir()
    file = save(make_object("anterior", "posterior"), "a/scan")
    (tmp_path / "a" / "back").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "a" / "broken").symlink_to(tmp_path / "nowhere")

    index = find_studies(tmp_path)

    assert [study.files for study in index.studies] == [(file,)]
    assert [one.verdict for one in index.verdicts] == ["E_NOT_DICOM"]


def test_objects_without_a_study_uid_are_not_joined(
    make_object: Make, save: Callable[..., Path], tmp_path: Path
) -> None:
    for view in ("anterior", "posterior"):
        single = make_object(view)
        del single.StudyInstanceUID
        save(single)

    assert [len(study.files) for study in find_studies(tmp_path).studies] == [1, 1]


def test_several_folders_and_progress(
    make_object: Make, save: Callable[..., Path], tmp_path: Path
) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        save(make_object("anterior", "posterior"), f"{name}/scan")
    told: list[tuple[int, int]] = []

    index = find_studies(
        [tmp_path / "a", tmp_path / "b"], progress=lambda done, total: told.append((done, total))
    )

    assert [len(study.files) for study in index.studies] == [2]
    assert told == [(1, 2), (2, 2)]


def test_a_path_that_cannot_be_entered_gets_a_verdict(tmp_path: Path) -> None:
    absent, too_long = tmp_path / "absent", tmp_path / ("x" * 5000)

    index = find_studies([absent, too_long])

    assert [(one.file, one.verdict) for one in index.verdicts] == [
        (absent, "E_NOT_DICOM"),
        (too_long, "E_NOT_DICOM"),
    ]


def test_a_folder_that_may_not_be_read_is_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir()
    scandir = os.scandir

    def refusing(path: str) -> Iterator[os.DirEntry[str]]:
        if Path(path) == closed:
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)  # a test may run as root, who may read all

    index = find_studies(tmp_path)

    assert [(one.file, one.verdict) for one in index.verdicts] == [(closed, "E_NOT_DICOM")]
