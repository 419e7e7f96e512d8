"""`bs-server compare` on a finished study."""

from __future__ import annotations

import csv
from pathlib import Path

from typer.testing import CliRunner

from bs_client.config import Policy
from bs_server.cli import app
from bs_server.results.comparison import Comparison
from bs_server.results.summary import write_summary
from support.fake_study import FakeStudy, make_comparing_study, make_fake_study


def finished(study: FakeStudy) -> Path:
    write_summary(study.study.folder.summary, study.run())
    return study.path


def test_the_table_is_shown_and_written_beside_the_report(tmp_path: Path) -> None:
    folder = finished(make_comparing_study(tmp_path, bonn=Policy(min_cell=1)))

    result = CliRunner().invoke(app, ["compare", str(folder)], env={"COLUMNS": "200"})

    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.output.replace("\N{EN DASH}", "-").splitlines()]
    assert ["aachen", "alone", "0.800", "+0.100", "0.040"] in [line[:5] for line in lines]
    assert ["0.700-0.900", "+0.000", "to", "+0.200"] in lines
    assert "No model of bonn alone" in result.output
    with (tmp_path / "comparison.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["model"], row["site"]) for row in rows] == [
        ("federated", ""),
        ("local", "aachen"),
        ("local", "aalborg"),
    ]


def test_programs_read_the_rows_as_json(tmp_path: Path) -> None:
    folder = finished(make_comparing_study(tmp_path))

    result = CliRunner().invoke(app, ["compare", str(folder), "--json"])

    assert len(Comparison.model_validate_json(result.stdout).rows) == 4


def test_a_study_without_the_setting_says_how_to_get_it(tmp_path: Path) -> None:
    folder = finished(make_fake_study(tmp_path))

    result = CliRunner().invoke(app, ["compare", str(folder)])

    assert result.exit_code == 1
    for words in ("compare_local = true", "release_local", "external_models"):
        assert words in " ".join(result.output.split())
    assert not (tmp_path / "comparison.csv").exists()
