"""`bs-client check` as a person or a program runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydicom.data
import pytest
from pydicom import Dataset, dcmread

from bs_client.check.outcome import check_path
from bs_client.config import DataSettings, Policy, SiteFolder
from bs_client.data.dataset import load_dataset
from bs_client.data.labels import Split
from bs_client.phantom.cohort import CohortCounts, write_cohort
from bs_client.phantom.site_style import STYLES
from bs_common.joining import write_document
from bs_common.settings import StudySettings
from support.invitations import make_invitation
from support.study_maker import join_study

PROGRAM = Path(sys.executable).parent / "bs-client"
TEST_FILES = Path(pydicom.data.__file__).parent / "test_files"
MakeScan = Callable[..., Path]


def run_check(*arguments: object, home: Path) -> tuple[int, dict[str, Any]]:
    """Run the command with --json; give its status and the one object on its standard output."""
    result = subprocess.run(
        [PROGRAM, "check", *map(str, arguments), "--json"],
        env={**os.environ, "XDG_CACHE_HOME": str(home)},
        check=False,
        capture_output=True,
        text=True,
    )
    return result.returncode, json.loads(result.stdout)


def edit(file: Path, change: Callable[[Dataset], None]) -> None:
    dataset = dcmread(file)
    change(dataset)
    dataset.save_as(file)


def keep_one_view(dataset: Dataset) -> None:
    dataset.PixelData = dataset.PixelData[: len(dataset.PixelData) // 2]
    dataset.NumberOfFrames = dataset.NumberOfDetectors = 1
    dataset.DetectorVector = dataset.EnergyWindowVector = 1
    del dataset.DetectorInformationSequence[1]


def make_blank(dataset: Dataset) -> None:
    dataset.PixelData = bytes(len(dataset.PixelData))


@pytest.mark.slow
def test_four_bad_scans_of_sixty_are_counted_under_their_codes_and_stop_nothing(
    tmp_path: Path,
) -> None:
    counts = CohortCounts(
        train_positive=20, train_negative=28, validation_positive=6, validation_negative=6
    )
    labels = write_cohort(
        tmp_path / "site", style=STYLES["aachen"], counts=counts, seed=11, preset="realistic"
    )
    files = sorted((tmp_path / "site/scans").iterdir())
    cut, text, single, blank = files[5], files[17], files[29], files[41]
    cut.write_bytes(cut.read_bytes()[:300_000])
    text.write_text("exported by hand\n")
    edit(single, keep_one_view)
    edit(blank, make_blank)

    status, found = run_check(
        tmp_path / "site/scans", "--labels", labels, "--cache", tmp_path / "cache", home=tmp_path
    )

    assert status == 0
    assert found["accepted"] == found["labels"]["scans"] == 56
    bad = {one["file"]: one["verdict"] for one in found["files"] if one["verdict"] != "accepted"}
    assert bad == {
        str(cut): "E_TRUNCATED",
        str(text): "E_NOT_DICOM",
        str(single): "E_VIEW_MISSING",
        str(blank): "E_BLANK",
    }
    assert found["refused"] == dict.fromkeys(sorted(bad.values()), 1)
    assert found["labels"]["labels_without_scan"] == 4
    assert sum(int(group["scans"]) for group in found["cohort"]) == 56
    assert Path(found["page"]).is_file()


@pytest.mark.slow
def test_a_folder_of_odd_files_gives_one_object_and_a_verdict_for_each(
    make_scan: MakeScan, tmp_path: Path
) -> None:
    folder = tmp_path / "scans"
    make_scan(1, lambda dataset: setattr(dataset, "Modality", "CT"))
    (folder / "empty").touch()
    (folder / "zeros.dcm").write_bytes(bytes(5000))
    (folder / "prefix").write_bytes(bytes(128) + b"DICM")
    (folder / "größe \n[bold]{}.dcm").write_bytes(os.urandom(3000))
    (folder / "loop").symlink_to(folder)
    os.mkfifo(folder / "pipe")

    status, found = run_check(folder, home=tmp_path / "home")

    assert status == 1
    verdicts = {Path(one["file"]).name: one["verdict"] for one in found["files"]}
    assert verdicts.pop("001.dcm") == "E_MODALITY"
    assert verdicts.keys() == {"empty", "zeros.dcm", "prefix", "größe \n[bold]{}.dcm", "pipe"}
    assert all(verdict.startswith("E_NO") for verdict in verdicts.values())
    assert found["ready"] is False
    assert "No scan was accepted" in found["reasons"][0]


@pytest.mark.slow
@pytest.mark.parametrize("wrong", ["absent", "site"])
def test_a_check_that_cannot_begin_gives_one_object_with_the_reason(
    tmp_path: Path, wrong: str
) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site/site.toml").write_text("[data]\nscans = 3\n")

    status, found = run_check(tmp_path / wrong, home=tmp_path)

    assert status == 1
    assert (found["ready"], found["files"]) == (False, [])
    assert {"absent": "no such folder", "site": "site.toml"}[wrong] in found["reasons"][0]


@pytest.mark.parametrize(("path", "cache"), [("x" * 5000, "cache"), ("scans", "scans/001.dcm")])
def test_a_folder_that_cannot_be_used_is_a_reason(
    make_scan: MakeScan, tmp_path: Path, path: str, cache: str
) -> None:
    make_scan(1)

    outcome = check_path(
        tmp_path / path,
        labels=None,
        cache=tmp_path / cache,
        workers=1,
        progress=lambda *said: None,
    )

    assert not outcome.report.ready
    assert "--cache DIR" in outcome.report.reasons[0]
    assert outcome.page is None


@pytest.mark.slow
def test_all_files_that_pydicom_brings_get_the_verdicts_on_record(tmp_path: Path) -> None:
    outcome = check_path(
        TEST_FILES, labels=None, cache=tmp_path, workers=2, progress=lambda *said: None
    )

    verdicts = {
        one.file.relative_to(TEST_FILES).as_posix(): one.verdict for one in outcome.report.verdicts
    }
    assert verdicts.keys() == {
        path.relative_to(TEST_FILES).as_posix() for path in TEST_FILES.rglob("*") if path.is_file()
    }
    assert Counter(verdicts.values()) == {
        "E_MODALITY": 90,
        "E_NO_PIXELS": 68,
        "E_NOT_DICOM": 13,
        "E_DECODE": 3,
        "E_NO_TRANSFER_SYNTAX": 1,
        "E_VIEW_MISSING": 1,
    }
    assert {name for name, verdict in verdicts.items() if verdict == "E_NOT_DICOM"} == {
        "ExplVR_BigEndNoMeta.dcm",
        "ExplVR_LitEndNoMeta.dcm",
        "README.txt",
        "crayons.icc",
        "dicomdirtests/README.txt",
        "dicomdirtests/TINY_ALPHA/README",
        "no_meta.dcm",
        "rtplan.dump",
        "rtstruct.dcm",
        "rtstruct.dump",
        "test1.json",
        "test_PN.json",
        "zipMR.gz",
    }
    assert {name for name, verdict in verdicts.items() if verdict == "E_DECODE"} == {
        "JPEG-lossy.dcm",
        "JPEG2000-embedded-sequence-delimiter.dcm",
        "JPGExtended.dcm",
    }
    assert verdicts["meta_missing_tsyntax.dcm"] == "E_NO_TRANSFER_SYNTAX"
    assert verdicts["JPEG2000.dcm"] == "E_VIEW_MISSING"


@pytest.mark.slow
def test_a_site_is_checked_exactly_as_its_training_reads_it(
    make_scan: MakeScan, tmp_path: Path
) -> None:
    for number in range(12):
        make_scan(number)
    make_scan(12, make_blank)
    labels = tmp_path / "labels.csv"
    rows = [f"1.2.{number},{number % 2}" for number in range(1, 14)]
    labels.write_text("\n".join(["study_uid,label", *rows]))
    settings = StudySettings(name="small", seed=4, view_height=64, view_width=32)
    write_document(tmp_path / "invitation.json", make_invitation(settings=settings))
    folder = SiteFolder(tmp_path / "part")
    data = DataSettings(scans=tmp_path / "scans", labels=labels)
    join_study(folder, tmp_path / "invitation.json", data=data, policy=Policy())

    outcome = check_path(
        folder.path, labels=None, cache=None, workers=2, progress=lambda *said: None
    )

    trained = load_dataset(
        data.scans,
        data.labels,
        settings=settings,
        ingest=folder.read().ingest,
        role="train",
        site="aachen",
        cache=tmp_path / "training",
    )
    report = outcome.report
    assert report.ready
    assert dict(report.studies_refused) == trained.intake.refused == {"E_BLANK": 1}
    assert {one.study_uid for one in report.scans} == trained.intake.scans.keys()
    assert {one.pixel_sha256 for one in report.scans} == {
        one.pixel_sha256 for one in trained.intake.scans.values()
    }
    assert report.labelled is not None
    assert {
        (group.split, group.label): group.scans for group in report.labelled.cohort.groups
    } == Counter((entry.split, entry.label) for entry in trained.entries)
    assert trained.of_split(Split.VALIDATION)
    assert outcome.page == folder.path / "check" / "index.html"
