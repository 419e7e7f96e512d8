"""What `bs-server export` writes."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bs_server.cli import app
from bs_server.config import StudyFolder
from bs_server.export.files import export_study
from bs_server.export.rounds_log import write_tensorboard
from bs_server.results.summary import Summary, write_summary

Changed = Callable[..., Summary]


@pytest.fixture
def folder(tmp_path: Path, summary: Summary, page: str) -> StudyFolder:
    """A finished study's folder, as far as its result goes."""
    write_summary(tmp_path / "summary.json", summary)
    folder = StudyFolder(tmp_path)
    folder.report.write_text(page, encoding="utf-8")
    return folder


def export(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["export", *arguments])


def test_everything_stands_in_one_folder(folder: StudyFolder) -> None:
    result = export(str(folder.path))

    assert result.exit_code == 0
    assert {path.name for path in folder.export.iterdir()} == {
        *("metrics.json", "metrics.schema.json", "tables.xlsx", "tables"),
        *("STARD-2015.md", "STARD-2015.docx", "CLAIM-2024.md", "CLAIM-2024.docx"),
    }
    assert {path.suffix for path in (folder.export / "tables").iterdir()} == {".csv"}
    assert "tables.xlsx" in result.stdout.replace("\n", "")


def test_the_metrics_name_the_summary_that_they_come_from(folder: StudyFolder) -> None:
    export_study(folder)

    metrics = json.loads((folder.export / "metrics.json").read_bytes())
    assert metrics["summary_sha256"] == hashlib.sha256(folder.summary.read_bytes()).hexdigest()
    assert [path.name for path in folder.path.rglob("summary.json")] == ["summary.json"]


def test_exporting_again_gives_the_same_bytes_and_drops_old_tables(
    folder: StudyFolder, changed: Changed
) -> None:
    first = {path: path.read_bytes() for path in export_study(folder)}

    again = {path: path.read_bytes() for path in export_study(folder)}
    # A Word document is a zip file, with the time of writing in it.
    assert [path for path in first if first[path] != again[path] and path.suffix != ".docx"] == []
    write_summary(folder.summary, changed(external=None, external_sites=[]))
    export_study(folder)
    assert not (folder.export / "tables" / "external.csv").exists()
    assert (folder.export / "tables" / "cohort.csv").exists()


def test_a_study_that_has_not_ended_is_told_what_to_do(tmp_path: Path) -> None:
    result = export(str(tmp_path))

    assert result.exit_code == 1
    assert "bs-server run" in result.stderr


def test_drafts_are_not_filled_without_the_report_that_they_point_at(
    folder: StudyFolder,
) -> None:
    folder.report.unlink()

    result = export(str(folder.path))

    assert result.exit_code == 1
    assert "bs-server report" in result.stderr


@pytest.mark.slow
def test_tensorboard_reads_every_round_back(folder: StudyFolder, tmp_path: Path) -> None:
    from tensorflow.compat.v1.train import summary_iterator  # another library's reader

    result = export(str(folder.path), "--tensorboard", str(tmp_path / "runs"))

    assert result.exit_code == 0
    (file,) = (tmp_path / "runs" / "two-judges").iterdir()
    found = {
        (value.tag, event.step): value.simple_value
        for event in summary_iterator(str(file))
        for value in event.summary.value
    }
    assert found["validation/pooled_auc", 0] == pytest.approx(0.7)
    assert found["validation/loss", 1] == pytest.approx(0.5)
    assert found["train/accuracy/aachen", 1] == pytest.approx(0.88)
    assert not [tag for tag, _ in found if tag.endswith("aalborg")]  # it gave no figure


def test_a_run_written_again_replaces_the_one_before(summary: Summary, tmp_path: Path) -> None:
    for _ in range(2):
        run = write_tensorboard(summary, tmp_path)

    assert len(list(run.iterdir())) == 1


def test_without_the_extra_the_same_figures_are_pointed_at(
    folder: StudyFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)

    result = export(str(folder.path), "--tensorboard", str(tmp_path / "runs"))

    assert result.exit_code == 1
    assert "bs-server[tensorboard]" in result.stderr
    assert "rounds.csv" in result.stderr
    assert not (tmp_path / "runs").exists()
