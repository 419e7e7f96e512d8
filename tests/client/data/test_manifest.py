from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from bs_client.data.labels import LabelTable, Split, parse_labels
from bs_client.data.manifest import match
from bs_client.dicom.scan import BoneScan, ViewImage
from bs_common.errors import DataError


@dataclass(frozen=True, slots=True)
class Scan:
    study_uid: str
    patient_id: str
    pixel_sha256: str


def scan(study: str, patient: str = "P", pixels: str | None = None) -> Scan:
    return Scan(study, patient, pixels or f"pixels of {study}")


def labels(text: str, folder: Path = Path()) -> LabelTable:
    return parse_labels(text, folder=folder)


def test_entries_carry_label_and_pixels_and_are_sorted_by_study() -> None:
    table = labels("study_uid,label,age\n2,0,50\n1,1,70\n")

    manifest = match(table, [scan("2", "B"), scan("1", "A")])

    assert [(entry.study_uid, entry.patient_id, entry.label) for entry in manifest.entries] == [
        ("1", "A", True),
        ("2", "B", False),
    ]
    assert [entry.pixel_sha256 for entry in manifest.entries] == ["pixels of 1", "pixels of 2"]
    assert [entry.age for entry in manifest.entries] == [70, 50]


def test_scans_without_label_and_labels_without_scan_are_told_apart() -> None:
    table = labels("study_uid,label\n1,1\n8,0\n9,0\n")

    manifest = match(table, [scan("1"), scan("5"), scan("4")])

    assert manifest.unlabelled == ("4", "5")
    assert [row.study_uid for row in manifest.unscanned] == ["8", "9"]
    assert manifest.duplicates == 0


def test_a_patients_label_holds_for_all_studies_of_the_patient() -> None:
    table = labels("patient_id,label\nA,1\nB,0\nC,0\n")

    manifest = match(table, [scan("1", "A "), scan("2", "B"), scan("3", "A"), scan("4", "")])

    assert [(entry.study_uid, entry.label) for entry in manifest.entries] == [
        ("1", True),
        ("2", False),
        ("3", True),
    ]
    assert manifest.unlabelled == ("4",)
    assert [row.patient_id for row in manifest.unscanned] == ["C"]
    assert manifest.entries[0].patient_id == manifest.entries[2].patient_id


def test_the_labels_files_patient_stands_before_that_of_an_anonymised_export() -> None:
    table = labels("study_uid,patient_id,label\n1,A,1\n2,B,0\n3,,0\n")

    manifest = match(table, [scan("1", "ANON"), scan("2", "ANON"), scan("3", "ANON")])

    assert [entry.patient_id for entry in manifest.entries] == ["A", "B", "ANON"]


def test_a_scan_without_patient_stands_alone_and_is_counted() -> None:
    manifest = match(labels("study_uid,label\n1,1\n2,0\n3,0\n"), [scan("1", ""), scan("2", " ")])

    assert len({entry.patient_id for entry in manifest.entries}) == 2
    assert manifest.without_patient_id == 2


def test_equal_pixels_with_equal_label_and_split_are_kept_once() -> None:
    table = labels("study_uid,label,split\n1,1,train\n2,1,train\n3,0,train\n")

    manifest = match(table, [scan("3"), scan("2", pixels="same"), scan("1", pixels="same")])

    assert [entry.study_uid for entry in manifest.entries] == ["1", "3"]
    assert manifest.duplicates == 1
    assert manifest.unscanned == ()


@pytest.mark.parametrize(
    ("rows", "counts"),
    [
        ("s-1,1,train\ns-2,0,train\n", "1 images with different labels, 0 images in different"),
        ("s-1,1,train\ns-2,1,val\n", "0 images with different labels, 1 images in different"),
        ("s-1,1,train\ns-2,1,\n", "0 images with different labels, 1 images in different"),
    ],
)
def test_equal_pixels_that_disagree_are_refused_by_count(rows: str, counts: str) -> None:
    table = labels("study_uid,label,split\n" + rows)

    with pytest.raises(DataError, match=counts) as caught:
        match(table, [scan("s-1", pixels="same"), scan("s-2", pixels="same")])
    assert caught.value.remedy
    assert "s-1" not in str(caught.value)


def test_unlabelled_copies_do_not_count_as_duplicates() -> None:
    manifest = match(
        labels("study_uid,label\n1,1\n"), [scan("1", pixels="x"), scan("2", pixels="x")]
    )

    assert manifest.duplicates == 0
    assert manifest.unlabelled == ("2",)


def test_the_same_study_read_twice_is_one_entry_if_the_pixels_agree() -> None:
    manifest = match(labels("study_uid,label\n1,1\n"), [scan("1"), scan("1")])

    assert len(manifest.entries) == 1
    assert manifest.duplicates == 1


def test_an_unlabelled_study_read_twice_is_no_duplicate() -> None:
    manifest = match(labels("study_uid,label\n1,1\n"), [scan("1"), scan("2"), scan("2")])

    assert manifest.duplicates == 0


def test_two_different_scans_of_one_study_are_refused() -> None:
    with pytest.raises(DataError, match="1 scans differ"):
        match(labels("study_uid,label\n1,1\n"), [scan("1"), scan("1", pixels="other")])


def test_a_patients_mask_is_not_laid_over_several_scans(tmp_path: Path) -> None:
    (tmp_path / "spots").touch()
    table = labels("patient_id,label,mask\nA,1,spots\n", tmp_path)

    assert match(table, [scan("1", "A")]).entries[0].mask == tmp_path / "spots"
    with pytest.raises(DataError, match="1 patients have one mask and several scans"):
        match(table, [scan("1", "A"), scan("2", "A")])


def test_a_bone_scan_from_ingest_can_be_matched() -> None:
    view = ViewImage(np.ones((2, 2), np.float32), None, "view_code", "1.2.3", 1)
    bone_scan = BoneScan("1", "P", view, view, (), (), "maker", "digest", synthetic=True)

    (entry,) = match(labels("study_uid,label,split\n1,1,val\n"), [bone_scan]).entries

    assert entry.pixel_sha256 == "digest"
    assert entry.split is Split.VALIDATION
