"""The labels of copied studies: pseudonyms, masks as bare pictures, no dates."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from bs_client.data.labels import parse_labels
from bs_client.deidentify.labels import LabelsCopy, copy_labels
from bs_client.deidentify.plan import StudyNames
from bs_common.errors import DataError

STUDIES = (
    StudyNames("1.2.1", "K1", "2.25.9", "Pa"),
    StudyNames("1.2.2", "K2", "2.25.8", "Pb"),
)
DRAWN = np.array([[True, False, False, True], [False, True, False, False]])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    remark = PngInfo()
    remark.add_text("Patient", "Musterfrau")
    picture = Image.fromarray(DRAWN.astype(np.uint8) * 255)
    picture.save(tmp_path / "Musterfrau.png", pnginfo=remark)
    return tmp_path


def copied(folder: Path, *lines: str) -> LabelsCopy:
    return copy_labels(parse_labels("\n".join(lines), folder=folder), STUDIES)


def rows(labels: LabelsCopy) -> list[str]:
    return labels.files["labels.csv"].decode().splitlines()


def test_rows_carry_the_new_names_in_their_order(folder: Path) -> None:
    labels = copied(
        folder,
        "study_uid,label,split,mask,age,sex,primary",
        "1.2.1,yes,train,Musterfrau.png,67,f,breast",
        "1.2.2,no,val,,93.5,m,",
    )

    assert rows(labels) == [
        "study_uid,patient_id,label,split,mask,age,sex,primary,reference_standard",
        "2.25.8,Pb,no_metastasis,validation,,90,M,,",
        "2.25.9,Pa,metastasis,train,masks/0002.png,67,F,breast,",
    ]
    assert (labels.rows, labels.withheld) == (2, 0)


def test_a_table_by_patient_stays_one_by_patient(folder: Path) -> None:
    labels = copied(folder, "patient_id,label", "K2,1")

    assert rows(labels)[0].startswith("patient_id,label,")
    assert rows(labels)[1].startswith("Pb,metastasis,")


def test_a_row_whose_study_was_not_copied_stays_behind(folder: Path) -> None:
    labels = copied(folder, "study_uid,label", "1.2.1,0", "1.2.999,1")

    assert labels.rows == 1
    assert "1.2.999" not in labels.files["labels.csv"].decode()


def test_columns_that_are_not_known_stay_behind(folder: Path) -> None:
    labels = copied(folder, "study_uid,label,name", "1.2.1,0,Musterfrau")

    assert "Musterfrau" not in labels.files["labels.csv"].decode()


@pytest.mark.parametrize("text", ["biopsy 2020-03-04", "see k1 report"])
def test_a_free_text_with_a_date_or_identifier_is_withheld(folder: Path, text: str) -> None:
    labels = copied(folder, "study_uid,label,reference_standard", f"1.2.1,0,{text}")

    assert rows(labels)[1].endswith(",")
    assert labels.withheld == 1


def test_a_mask_keeps_its_pixels_and_loses_its_remarks(folder: Path) -> None:
    labels = copied(folder, "study_uid,label,mask", "1.2.1,1,Musterfrau.png")

    content = labels.files["masks/0001.png"]
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(content))), DRAWN)
    assert b"Musterfrau" in (folder / "Musterfrau.png").read_bytes()
    assert b"Musterfrau" not in content


def test_a_mask_that_is_no_picture_is_a_fault(folder: Path) -> None:
    (folder / "mask.png").write_bytes(b"no picture")

    with pytest.raises(DataError, match="mask"):
        copied(folder, "study_uid,label,mask", "1.2.1,1,mask.png")
