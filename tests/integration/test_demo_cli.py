"""Two refusals of the demo, and the coordinator's commands where sites' libraries are missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bs_common.settings import StudySettings
from bs_server.processes import Processes
from support.real_study import PROGRAMS
from support.study_maker import make_study

pytestmark = pytest.mark.integration

TESTS = Path(__file__).parents[1]
SITES_ONLY = ("tensorflow", "keras", "pydicom", "sklearn", "scipy")


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


@pytest.fixture
def bare(tmp_path: Path) -> list[str]:
    """Give the beginning of a command that cannot import what only sites have."""
    (tmp_path / "bare").mkdir()
    blocked = f"import sys\nsys.modules.update(dict.fromkeys({SITES_ONLY}))\n"
    (tmp_path / "bare/sitecustomize.py").write_text(blocked)
    return ["env", f"PYTHONPATH={tmp_path / 'bare'}"]


def test_nothing_that_only_sites_have_can_be_imported_in_the_bare_environment(
    bare: list[str],
) -> None:
    probe = f"""
import importlib
for name in {SITES_ONLY}:
    try:
        importlib.import_module(name)
    except ImportError:
        print(name)
"""
    result = subprocess.run([*bare, sys.executable, "-c", probe], check=True, capture_output=True)

    assert result.stdout.decode().split() == list(SITES_ONLY)


def test_the_coordinator_runs_a_study_without_an_ml_or_dicom_stack(
    bare: list[str], tmp_path: Path
) -> None:
    settings = StudySettings(name="bare", backbone="random:1", trainable="head", rounds=1)
    study = make_study(tmp_path, settings, {"aachen": "train", "namur": "evaluate"})
    server = [*bare, str(PROGRAMS / "bs-server"), "run", str(study.folder.path), "--json"]
    client = ["env", f"PYTHONPATH={TESTS}", sys.executable, "-m", "support.fake_client"]

    with Processes() as processes:
        processes.start("coordinator", server, log=study.folder.path / "run.log")
        for name, site in study.sites.items():
            processes.start(name, [*client, str(site.path), "10"], log=site.path / "run.log")
        processes.wait_for_all(120)

    assert study.folder.summary.exists()
    assert study.folder.report.exists()
