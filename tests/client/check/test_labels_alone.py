"""A labels file without its scans."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bs_client.check.labels_alone import BY_PATIENT, WITHOUT_SPLITS, flow_lines, read_labels_alone
from bs_client.cli import app
from bs_common.errors import DataError


def write(folder: Path, *lines: str, header: str = "study_uid,patient_id,label,split") -> Path:
    path = folder / "labels.csv"
    path.write_text("\n".join((header, *lines)))
    return path


def test_lines_are_counted_by_split_and_label(tmp_path: Path) -> None:
    lines = ("1,A,1,train", "2,A,1,train", "3,B,0,train", "4,C,0,val", "5,D,1,test")

    found = read_labels_alone(write(tmp_path, *lines))

    assert [line.split() for line in flow_lines(found)][1:] == [
        ["train", "3", "2", "with", "metastasis,", "1", "without"],
        ["validation", "1", "0", "with", "metastasis,", "1", "without"],
        ["external", "1", "1", "with", "metastasis,", "0", "without"],
    ]
    assert flow_lines(found)[0] == "5 labelled scans of 4 patients"
    assert found.reasons == ()


def test_a_patient_in_two_splits_is_a_reason_and_the_counts_are_still_told(tmp_path: Path) -> None:
    found = read_labels_alone(write(tmp_path, "1,A,1,train", "2,A,0,val"))

    assert len(found.entries) == 2
    assert "1 of 1 patients are in more than one split" in found.reasons[0]


def test_a_file_without_splits_is_not_split(tmp_path: Path) -> None:
    found = read_labels_alone(write(tmp_path, "1,A,1,", "2,B,0,"))

    assert {entry.split for entry in found.entries} == {None}
    assert found.remarks == (WITHOUT_SPLITS,)


def test_a_file_by_patient_says_that_lines_are_no_scans(tmp_path: Path) -> None:
    path = write(tmp_path, "A,1,test", "B,0,test", header="patient_id,label,split")

    assert read_labels_alone(path).remarks == (BY_PATIENT,)


def test_every_fault_of_the_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"(?s)line 2.*line 3"):
        read_labels_alone(write(tmp_path, "1,A,perhaps,train", "2,B,1,sometimes"))


def test_the_command_gives_counts_alone_and_status_1_without_a_class(tmp_path: Path) -> None:
    path = write(tmp_path, "1.2.3,ID-OF-A,1,train", "1.2.4,ID-OF-B,1,val")

    result = CliRunner().invoke(app, ["cohort", str(path), "--json"])

    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert found["cells"]["train.metastasis"] == 1
    assert found["reasons"] == [
        "There is no train scan without metastasis; both classes are needed."
    ]
    assert "ID-OF" not in result.output
