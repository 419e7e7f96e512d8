from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from support.real_study import PROGRAMS

pytestmark = pytest.mark.integration


def run_demo(python: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run `bs-server demo`; a refused one ends before it has done anything."""
    command = [str(python), str(PROGRAMS / "bs-server"), "demo", "--folder", str(folder)]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)


def environment_without_client(folder: Path) -> Path:
    """Give the Python of an environment with the same packages and no programs."""
    own = Path(sys.prefix)
    (folder / "bin").mkdir(parents=True)
    (folder / "bin/python").symlink_to(own / "bin/python")
    (folder / "lib").symlink_to(own / "lib")
    (folder / "pyvenv.cfg").write_bytes((own / "pyvenv.cfg").read_bytes())
    return folder / "bin/python"


def test_the_demo_refuses_a_folder_of_somebodys_own(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("three years of work")

    result = run_demo(Path(sys.executable), tmp_path)

    assert result.returncode == 1
    assert "is not empty and was not made by the demo" in result.stderr
    assert "What to do: Choose another folder: bs-server demo --folder DIR" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_the_demo_says_what_to_do_where_the_sites_program_is_missing(tmp_path: Path) -> None:
    python = environment_without_client(tmp_path / "environment")

    result = run_demo(python, tmp_path / "demo")

    assert result.returncode == 1
    assert "bs-client is not installed in this environment" in result.stderr
    assert "What to do: Run deploy/demo" in result.stderr
    assert not (tmp_path / "demo").exists()
