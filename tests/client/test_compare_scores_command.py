"""`bs-client compare-scores`: two models on the same scans, from two CSV files."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from MLstatkit import Delong_test
from typer.testing import CliRunner

from bs_client.cli import app
from bs_client.evaluation.external import write_scores

RNG = np.random.default_rng(6)
LABELS = RNG.random(120) < 0.4
FIRST, SECOND = (np.round(RNG.normal(LABELS * gap, 1), 1) for gap in (0.8, 1.6))


def write(path: Path, scores: object, labels: object = LABELS, *, header: str = "") -> Path:
    rows = zip(np.asarray(labels), np.asarray(scores), strict=True)
    lines = [f"scan-{n},{int(label)},{score}" for n, (label, score) in enumerate(rows)]
    path.write_text("\n".join([header or "scan,label,score", *lines]) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    return write(tmp_path / "one.csv", FIRST), write(tmp_path / "other.csv", SECOND)


def compare(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["compare-scores", *map(str, arguments)])


def test_the_comparison_is_that_of_another_library(files: tuple[Path, Path]) -> None:
    found = json.loads(compare(*files, "--json").stdout)

    z, p, first, second, auc_first, auc_second, _ = Delong_test(
        LABELS.astype(int), FIRST, SECOND, return_ci=True, return_auc=True
    )
    assert found["z"] == pytest.approx(z, abs=1e-12)
    assert found["p_value"] == pytest.approx(p, abs=1e-12)
    assert found["first"] == pytest.approx(
        dict(zip(("value", "low", "high"), (auc_first, *first), strict=True))
    )
    assert found["second"]["value"] == pytest.approx(auc_second)
    assert (found["second"]["low"], found["second"]["high"]) == pytest.approx(second)
    assert found["difference"]["value"] == pytest.approx(auc_second - auc_first)
    assert found["difference"]["low"] < auc_second - auc_first < found["difference"]["high"]
    assert (found["scans"], found["metastasis"]) == (120, int(LABELS.sum()))


def test_a_person_sees_a_table_and_the_p_value(files: tuple[Path, Path]) -> None:
    shown = compare(*files).stdout

    assert "one.csv" in shown
    assert "difference, second - first" in shown
    assert "p = " in shown
    assert "120 scans" in shown


def test_the_order_of_the_lines_does_not_matter(files: tuple[Path, Path]) -> None:
    before = compare(*files, "--json").stdout
    header, *lines = files[1].read_text(encoding="utf-8").splitlines()
    random.Random(1).shuffle(lines)
    files[1].write_text("\n".join([header, *lines]), encoding="utf-8")

    assert compare(*files, "--json").stdout == before


def test_the_scores_of_a_sites_own_judgement_are_read_as_they_are(tmp_path: Path) -> None:
    cases = range(1, LABELS.size + 1)
    for name, margins in (("one.csv", FIRST), ("other.csv", SECOND)):
        path = tmp_path / name
        write_scores(path, cases=cases, margins=margins, labels=LABELS, threshold=0.5)

    found = json.loads(compare(tmp_path / "one.csv", tmp_path / "other.csv", "--json").stdout)

    z, *_ = Delong_test(LABELS.astype(int), FIRST, SECOND, return_ci=True, return_auc=True)
    assert found["z"] == pytest.approx(z, abs=1e-12)


def test_a_model_does_not_differ_from_itself(files: tuple[Path, Path]) -> None:
    found = json.loads(compare(files[0], files[0], "--json").stdout)

    assert (found["difference"]["value"], found["z"], found["p_value"]) == (0, None, 1)


def test_other_scans_are_refused_with_their_lines(files: tuple[Path, Path]) -> None:
    text = files[1].read_text(encoding="utf-8").replace("scan-7,", "Doe^Jane,")
    files[1].write_text(text, encoding="utf-8")

    result = compare(*files)

    assert result.exit_code == 1
    assert "1 only in one.csv (line 9), 1 only in other.csv (line 9)" in result.stderr
    assert "What to do:" in result.stderr
    assert "Doe" not in result.stderr


def test_other_labels_are_refused(tmp_path: Path) -> None:
    turned = LABELS.copy()
    turned[[0, 3]] = ~turned[[0, 3]]
    one, other = write(tmp_path / "a.csv", FIRST), write(tmp_path / "b.csv", SECOND, turned)

    result = compare(one, other)

    assert result.exit_code == 1
    assert "disagree about the label of 2 scans (lines 2, 5) of a.csv" in result.stderr


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("scan-0,1,0.5", "line 122"),  # twice
        ("x,1,nan", "line 122"),
        ("x,maybe,0.5", "line 122"),
        (",1,0.5", "line 122"),
        ("x,1", "line 122"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(
    files: tuple[Path, Path], line: str, said: str
) -> None:
    with files[0].open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")

    result = compare(*files)

    assert result.exit_code == 1
    assert f"one.csv: {said} " in result.stderr


def test_of_many_such_lines_the_first_are_named(tmp_path: Path) -> None:
    result = compare(write(tmp_path / "a.csv", np.full(120, np.nan)), tmp_path / "a.csv")

    assert "lines 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 110 more" in result.stderr


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"scan,score\n1,0.5\n", "no column metastasis or label"),
        (b"", "no column case or scan"),
        (b"\xff\xfe\x00", "cannot be read as text"),
        (b'scan,label,score\n"1,0,0.5\n', "bad.csv is not a CSV table"),
    ],
)
def test_a_file_of_another_form_is_refused(
    files: tuple[Path, Path], tmp_path: Path, content: bytes, said: str
) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_bytes(content)

    result = compare(files[0], bad)

    assert result.exit_code == 1
    assert said in result.stderr.replace("\n", " ")


def test_one_class_alone_has_no_area(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", FIRST, np.zeros(120))

    result = compare(path, path)

    assert result.exit_code == 1
    assert "What to do:" in result.stderr


def test_the_command_loads_no_network(files: tuple[Path, Path]) -> None:
    program = (
        "import sys\nfrom bs_client.cli import app\n"
        f"app(['compare-scores', {str(files[0])!r}, {str(files[1])!r}], standalone_mode=False)\n"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)\n"
    )

    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
