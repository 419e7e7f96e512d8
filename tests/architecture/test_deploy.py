"""The installer says what is wrong with a machine's Python before it touches anything."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

DEPLOY = Path(__file__).parents[2] / "deploy"
SCRIPTS = ("demo", "install", "test")
PYTHONS = ("python3", "python3.11", "python3.12", "python3.13")
NEEDED = ("dirname", "grep")  # the only other programs before a Python is chosen

OF_VERSION = "#!/bin/sh\necho {version}\n"
WITHOUT_VENV = "#!/bin/sh\ncase $2 in *version_info*) echo 3.12 ;; *) exit 1 ;; esac\n"
SHIM_TO_NOTHING = "#!/bin/sh\necho 'pyenv: command not found' >&2\nexit 127\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout in a folder with a space, and a `bin` with what the installer needs."""
    root = tmp_path / "bone scan"
    shutil.copytree(DEPLOY, root / "deploy")
    (root / "bin").mkdir()
    for program in NEEDED:
        found = shutil.which(program)
        assert found is not None
        (root / "bin" / program).symlink_to(found)
    return root


def provide(checkout: Path, text: str, *, names: tuple[str, ...] = PYTHONS) -> None:
    """Put a stand-in for Python on the PATH under the given names."""
    for name in names:
        program = checkout / "bin" / name
        program.write_text(text)
        program.chmod(0o755)


def install(checkout: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [checkout / "deploy/install"],
        env={"PATH": str(checkout / "bin")},
        cwd="/",
        stdin=subprocess.DEVNULL,
        check=False,
        capture_output=True,
        text=True,
    )


def test_a_missing_python_is_named_with_the_remedy(checkout: Path) -> None:
    result = install(checkout)

    assert result.returncode == 1
    assert "Python 3.11, 3.12 or 3.13 is needed" in result.stderr
    assert "Found: none" in result.stderr
    assert "apt install python3 python3-venv" in result.stderr


def test_a_shim_without_a_version_behind_it_counts_as_missing(checkout: Path) -> None:
    provide(checkout, SHIM_TO_NOTHING)

    assert "Found: none" in install(checkout).stderr


@pytest.mark.parametrize(
    ("version", "fault"),
    [("2.7", "too old"), ("3.9", "too old"), ("3.10", "too old"), ("3.14", "too new")],
)
def test_an_unsupported_python_is_refused_by_its_version(
    checkout: Path, version: str, fault: str
) -> None:
    provide(checkout, OF_VERSION.format(version=version), names=("python3",))

    result = install(checkout)

    assert result.returncode == 1
    assert f"python3 is Python {version}, {fault}" in result.stderr


def test_a_python_without_venv_is_refused_with_its_debian_package(checkout: Path) -> None:
    provide(checkout, WITHOUT_VENV, names=("python3.12",))

    result = install(checkout)

    assert result.returncode == 1
    assert "apt install python3.12-venv" in result.stderr


def test_a_refusal_leaves_an_old_environment_in_place(checkout: Path) -> None:
    (checkout / ".venv").mkdir()

    result = install(checkout)

    assert result.returncode == 1
    assert (checkout / ".venv").is_dir()


def test_a_suitable_python_is_used_where_the_first_one_is_not(checkout: Path) -> None:
    provide(checkout, OF_VERSION.format(version="3.9"), names=("python3",))
    provide(checkout, SHIM_TO_NOTHING, names=("python3.13",))
    makes_environment = '#!/bin/sh\ncase $* in *" venv "*) echo made "$@" ;; *) echo 3.12 ;; esac\n'
    provide(checkout, makes_environment, names=("python3.12",))

    assert "made -m venv .venv" in install(checkout).stdout


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_is_clean_posix_shell(script: str) -> None:
    result = subprocess.run(
        ["shellcheck", "--shell=sh", DEPLOY / script], check=False, capture_output=True, text=True
    )

    assert result.returncode == 0, result.stdout


def test_an_unknown_option_is_refused() -> None:
    result = subprocess.run(
        [DEPLOY / "test", "--everything"], check=False, capture_output=True, text=True
    )

    assert result.returncode == 1
    assert "does not know: --everything" in result.stderr
