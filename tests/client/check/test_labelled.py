"""Labels and scans brought together, and why training could not start."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bs_client.check.labelled import Labelled, bring_together
from bs_client.check.reading import CheckedScan
from bs_client.check.source import Source


def scan(number: int) -> CheckedScan:
    return CheckedScan(
        files=(Path(f"{number}.dcm"),),
        study_uid=f"1.2.{number}",
        patient_id=f"P{number}",
        pixel_sha256=f"{number}",
        synthetic=False,
        warnings=(),
        notes=(),
        picture="",
    )


def labelled(source: Source, folder: Path, *lines: str, scans: int = 8) -> Labelled:
    labels = folder / "labels.csv"
    labels.write_text("\n".join(("study_uid,label,split", *lines)))
    return bring_together(labels, [scan(number) for number in range(scans)], source)


def line(number: int, label: int, split: str = "") -> str:
    return f"1.2.{number},{label},{split}"


def test_both_classes_to_train_and_one_scan_to_validate_suffice(
    source: Source, tmp_path: Path
) -> None:
    lines = line(0, 1, "train"), line(1, 0, "train"), line(2, 0, "validation")

    found = labelled(source, tmp_path, *lines, line(9, 1, "train"))

    assert found.reasons == ()
    assert found.rows == 4
    assert found.manifest is not None
    assert [row.line for row in found.manifest.unscanned] == [5]
    assert len(found.manifest.unlabelled) == 5
    assert [(group.split, group.label, group.scans) for group in found.cohort.groups] == [
        ("train", True, 1),
        ("train", False, 1),
        ("validation", False, 1),
    ]


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ((line(0, 1, "train"), line(1, 0, "validation")), "no train scan without metastasis"),
        ((line(0, 0, "train"), line(1, 0, "validation")), "no train scan with metastasis"),
        ((line(0, 1, "train"), line(1, 0, "train")), "no validation scan"),
        ((line(0, 1, "external"), line(1, 1, "test")), "no external scan without metastasis"),
        ((line(0, 1, "train"), line(1, 0)), "have no split"),
        ((line(0, 1), line(1, 0), line(2, 0)), "at least 2 of each"),
        ((line(50, 1), line(51, 0)), "0 labelled scans"),
        ((line(0, 7),), "expected metastasis or no_metastasis"),
    ],
)
def test_what_is_missing_is_said(
    source: Source, tmp_path: Path, lines: tuple[str, ...], reason: str
) -> None:
    found = labelled(source, tmp_path, *lines)

    assert any(reason in text for text in found.reasons)


def test_labels_for_the_held_out_hospital_need_no_training_scans(
    source: Source, tmp_path: Path
) -> None:
    found = labelled(source, tmp_path, line(0, 1, "external"), line(1, 0, "external"))

    assert found.reasons == ()


def test_an_evaluating_site_judges_all_its_scans(source: Source, tmp_path: Path) -> None:
    site = replace(source, role="evaluate", site="namur")

    found = labelled(site, tmp_path, line(0, 1), line(1, 0))

    assert found.reasons == ()
    assert {group.split for group in found.cohort.groups} == {"external"}


def test_without_a_study_no_split_is_invented(source: Source, tmp_path: Path) -> None:
    lines = [line(number, number % 2) for number in range(8)]

    given = labelled(source, tmp_path, *lines)
    drawn = labelled(replace(source, role="train", site="aachen"), tmp_path, *lines)

    assert {group.split for group in given.cohort.groups} == {None}
    assert {group.split for group in drawn.cohort.groups} == {"train", "validation"}
    assert given.reasons == drawn.reasons == ()


def test_a_missing_labels_file_is_a_reason(source: Source, tmp_path: Path) -> None:
    found = bring_together(tmp_path / "absent.csv", [scan(1)], source)

    assert "cannot be read" in found.reasons[0]
    assert found.manifest is None
