from __future__ import annotations

import csv
import json
import stat
from pathlib import Path

import pytest

from bs_client.predict.outcome import Outcome, count_verdicts, write_results

RESULT = Outcome(
    case=1,
    study_uid="1.2.3",
    files=(Path("a.dcm"), Path("b.dcm")),
    verdict="accepted",
    threshold=0.5,
    probability=0.73125,
    warnings=("W_LOSSY", "W_BODY_CUT"),
    overlay="case-0001.png",
    dicom=("case-0001-report.dcm",),
)
REFUSED = Outcome(
    case=2,
    study_uid="1.2.4",
    files=(Path("c.dcm"),),
    verdict="E_VIEW_MISSING",
    threshold=0.5,
    remark="one view, expected two",
)
STRAY = Outcome(None, "", (Path("labels.csv"),), "E_NOT_DICOM", 0.5, remark="no DICOM")


@pytest.mark.parametrize(
    ("probability", "call"),
    [(0.5, "metastasis"), (0.4999, "no_metastasis"), (None, "")],
)
def test_a_scan_is_called_at_or_above_the_threshold(probability: float | None, call: str) -> None:
    assert Outcome(1, "", (), "accepted", 0.5, probability=probability).call == call


def test_a_line_tells_result_or_code_and_no_identifier() -> None:
    assert RESULT.line() == "case 1: probability 0.731, called metastasis"
    assert REFUSED.line() == "case 2: E_VIEW_MISSING: one view, expected two"
    assert STRAY.line() == "file of no study: E_NOT_DICOM: no DICOM"


def test_a_program_gets_one_object_on_one_line() -> None:
    text = RESULT.to_json()

    facts = json.loads(text)
    assert "\n" not in text
    assert (facts["case"], facts["probability"], facts["call"]) == (1, 0.73125, "metastasis")
    assert facts["files"] == ["a.dcm", "b.dcm"]
    assert json.loads(REFUSED.to_json())["probability"] is None


def test_the_table_has_a_row_for_everything_and_is_its_owner_s_alone(tmp_path: Path) -> None:
    path = write_results(tmp_path, [RESULT, REFUSED, STRAY])

    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert [row["verdict"] for row in rows] == ["accepted", "E_VIEW_MISSING", "E_NOT_DICOM"]
    assert rows[0]["probability"] == "0.73125"
    assert rows[0]["warnings"] == "W_LOSSY;W_BODY_CUT"
    assert rows[1]["probability"] == rows[2]["case"] == ""
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_name_that_is_no_text_does_not_stop_the_table(tmp_path: Path) -> None:
    odd = Outcome(None, "", (Path("scan\udcff.dcm"),), "E_NOT_DICOM", 0.5)

    assert "scan?.dcm" in write_results(tmp_path, [odd]).read_text()


def test_verdicts_are_counted() -> None:
    assert count_verdicts([RESULT, STRAY, STRAY]) == {"E_NOT_DICOM": 2, "accepted": 1}
