from __future__ import annotations

import csv
import hashlib
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image

from bs_client.phantom import STYLES, CohortCounts, SiteName, draw_study, write_cohort
from bs_client.phantom.cohort import plan_cohort
from bs_common.errors import ConfigError

SEED = 11
COUNTS = CohortCounts(positive=1, train_positive=1, train_negative=1, validation_negative=1)
LARGE = CohortCounts(train_positive=300, train_negative=400, external_positive=200)
SITES: tuple[SiteName, ...] = ("aachen", "aalborg", "namur")


@dataclass(frozen=True, slots=True)
class WrittenCohort:
    site: SiteName
    folder: Path
    rows: list[dict[str, str]]


@pytest.fixture(scope="module", params=SITES)
def cohort(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> WrittenCohort:
    site: SiteName = request.param
    folder = tmp_path_factory.mktemp(site)
    labels = write(folder, site)
    with labels.open(newline="") as file:
        return WrittenCohort(site, folder, list(csv.DictReader(file)))


def write(folder: Path, site: SiteName) -> Path:
    return write_cohort(folder, style=STYLES[site], counts=COUNTS, seed=SEED, preset="realistic")


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_writing_again_gives_the_same_files_byte_for_byte(cohort: WrittenCohort) -> None:
    before = digests(cohort.folder)

    write(cohort.folder, cohort.site)

    assert digests(cohort.folder) == before


def test_labels_name_every_study_on_disk_and_no_other(cohort: WrittenCohort) -> None:
    scans = [pydicom.dcmread(path) for path in sorted(cohort.folder.glob("scans/*.dcm"))]

    on_disk = {(scan.StudyInstanceUID, scan.PatientID) for scan in scans}
    listed = {(row["study_uid"], row["patient_id"]) for row in cohort.rows}
    assert on_disk == listed
    assert len(cohort.rows) == 4
    assert len(scans) == (8 if cohort.site == "aalborg" else 4)


def test_labels_hold_the_classes_and_splits_asked_for(cohort: WrittenCohort) -> None:
    assert sorted((row["split"], row["label"]) for row in cohort.rows) == [
        ("", "metastasis"),
        ("train", "metastasis"),
        ("train", "no_metastasis"),
        ("validation", "no_metastasis"),
    ]
    assert {row["reference_standard"] for row in cohort.rows} == {"synthetic"}


def test_age_and_sex_in_labels_agree_with_the_scans(cohort: WrittenCohort) -> None:
    by_uid = {row["study_uid"]: row for row in cohort.rows}

    for path in cohort.folder.glob("scans/*.dcm"):
        scan = pydicom.dcmread(path)
        row = by_uid[scan.StudyInstanceUID]
        assert (scan.PatientSex, int(scan.PatientAge[:3])) == (row["sex"], int(row["age"]))


def test_positives_alone_have_a_mask_with_the_views_side_by_side(cohort: WrittenCohort) -> None:
    style = STYLES[cohort.site]

    for row in cohort.rows:
        assert (row["mask"] != "") == (row["label"] == "metastasis")
    masks = [cohort.folder / row["mask"] for row in cohort.rows if row["mask"]]
    assert sorted(masks) == sorted(cohort.folder.glob("masks/*"))
    for path in masks:
        with Image.open(path) as picture:
            assert picture.size == (2 * style.columns, style.rows)
            assert np.asarray(picture).any()


def test_a_written_mask_is_the_one_that_was_drawn(cohort: WrittenCohort) -> None:
    style = STYLES[cohort.site]
    planned = next(one for one in plan_cohort(COUNTS, style=style, seed=SEED) if one.label)

    study = draw_study(
        SEED,
        planned.number,
        style=style,
        label=True,
        preset="realistic",
        patient_number=planned.patient_number,
    )

    with Image.open(cohort.folder / f"masks/{planned.number:04d}.png") as picture:
        both = np.asarray(picture)
    np.testing.assert_array_equal(both[:, : style.columns], study.mask_anterior)
    np.testing.assert_array_equal(both[:, style.columns :], study.mask_posterior)


def test_file_names_hold_nothing_but_the_running_number(cohort: WrittenCohort) -> None:
    suffixes = ("_e", "_f") if cohort.site == "aalborg" else ("",)

    names = sorted(path.name for path in cohort.folder.glob("scans/*"))

    assert names == [f"{number:04d}{suffix}.dcm" for number in range(1, 5) for suffix in suffixes]


def test_a_folder_with_scans_of_another_cohort_is_refused(tmp_path: Path) -> None:
    (tmp_path / "scans").mkdir()
    (tmp_path / "scans" / "0099.dcm").write_bytes(b"of another cohort")

    with pytest.raises(ConfigError, match="1 scans or masks"):
        write(tmp_path, "aachen")

    assert not (tmp_path / "labels.csv").exists()


def test_progress_is_told_after_each_study(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []

    write_cohort(
        tmp_path,
        style=STYLES["aachen"],
        counts=CohortCounts(negative=2),
        seed=0,
        preset="realistic",
        progress=lambda done, total: told.append((done, total)),
    )

    assert told == [(1, 2), (2, 2)]


def test_a_plan_holds_the_studies_asked_for_numbered_from_one() -> None:
    plan = plan_cohort(LARGE, style=STYLES["aachen"], seed=1)

    assert [study.number for study in plan] == list(range(1, 901))
    assert sum(study.label and study.split == "train" for study in plan) == 300
    assert sum(not study.label and study.split == "train" for study in plan) == 400
    assert sum(study.label and study.split == "external" for study in plan) == 200


def test_a_few_patients_have_two_studies_of_one_label_and_split() -> None:
    plan = plan_cohort(LARGE, style=STYLES["aachen"], seed=1)

    facts = defaultdict(list)
    for study in plan:
        facts[study.patient_number].append((study.label, study.split))

    twice = [both for both in facts.values() if len(both) > 1]
    assert 10 < len(twice) < 45  # 3 % of about 875 patients is 26
    assert all(len(both) == 2 and both[0] == both[1] for both in twice)


def test_the_class_does_not_follow_the_number() -> None:
    labels = [study.label for study in plan_cohort(LARGE, style=STYLES["aachen"], seed=1)]

    first_half = np.mean(labels[:450])

    assert first_half == pytest.approx(500 / 900, abs=0.1)  # four standard errors


def test_sites_number_their_patients_differently() -> None:
    plans = [plan_cohort(LARGE, style=STYLES[site], seed=1) for site in SITES]

    assert len({tuple(study.label for study in plan) for plan in plans}) == 3


@pytest.mark.parametrize("counts", [{}, {"positive": -1, "negative": 3}])
def test_impossible_counts_are_refused(counts: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="at least one study"):
        CohortCounts(**counts)
