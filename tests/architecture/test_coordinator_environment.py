"""The coordinator's machine holds no network library and no DICOM reader."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import bs_common
import bs_server

ROOT = Path(__file__).parents[2]
UV = Path(sys.executable).parent / "uv"
ABSENT = {"tensorflow", "keras", "pydicom", "scikit-learn", "scipy"}

# Runs in a fresh interpreter where the forbidden packages cannot be imported.
IMPORT_ALL = """
import importlib, sys
for name in ("tensorflow", "keras", "pydicom", "sklearn", "scipy"):
    sys.modules[name] = None
for name in sys.argv[1:]:
    importlib.import_module(name)
"""


def locked_distributions(package: str) -> set[str]:
    """Give the names of all that `uv.lock` installs for one package, without development tools."""
    options = "--locked --offline --no-dev --no-hashes --no-header --no-annotate"
    command = [str(UV), "export", *options.split(), "--no-emit-workspace", "--package", package]
    listing = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return {line.partition("==")[0].strip() for line in listing.splitlines()}


def test_the_coordinator_is_installed_without_an_ml_or_dicom_stack() -> None:
    installed = locked_distributions("bs-server")

    assert "flwr" in installed
    assert not installed & ABSENT


def test_the_site_is_installed_with_what_the_coordinator_lacks() -> None:
    assert locked_distributions("bs-client") >= ABSENT


@pytest.mark.slow
def test_every_coordinator_module_loads_where_the_ml_and_dicom_stack_is_missing() -> None:
    modules = [
        module.name
        for package in (bs_common, bs_server)
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
        if not module.name.endswith("__main__")
    ]

    result = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, *modules], check=False, capture_output=True, text=True
    )

    assert result.returncode == 0, result.stderr
