"""`bs-client deidentify` says what was copied, what was not and why, and where the mapping is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from pydicom import Dataset
from typer.testing import CliRunner

from bs_client.cli import app
from bs_client.deidentify import meaning
from bs_client.dicom import Refusal

Study = Mapping[str, Dataset]


def test_the_command_counts_copies_and_refusals(
    drawn: Mapping[str, Study], put: Callable[[Study], None], source: Path, tmp_path: Path
) -> None:
    put(drawn["aalborg"])
    (source / "notes.txt").write_text("no scan")

    result = CliRunner().invoke(app, ["deidentify", str(source), str(tmp_path / "copy")])

    assert result.exit_code == 0
    assert "1 studies in 2 files" in result.stdout
    assert "E_NOT_DICOM" in result.stdout
    assert "mapping.csv" in result.stdout


def test_a_folder_without_scans_ends_with_status_one(source: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["deidentify", str(source), str(tmp_path / "copy")])

    assert result.exit_code == 1


@pytest.mark.parametrize("code", ["spare", "E_DEIDENTIFY", *Refusal])
def test_every_code_has_a_meaning(code: str) -> None:
    assert meaning(code).endswith(".")
