"""What tests of a site share: synthetic scans, made once, and the machine prepared for Keras."""

from __future__ import annotations

from pathlib import Path

import pytest

from bs_client.phantom import STYLES
from bs_client.phantom.cohort import CohortCounts, write_cohort


@pytest.fixture(scope="session")
def device() -> str:
    """Prepare Keras for repeatable computing; must come before anything is computed."""
    from bs_client.model.device import prepare_device  # most tests of a site need no Keras

    return prepare_device(2)


@pytest.fixture(scope="session")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with `scans/`, `masks/` and `labels.csv`: 3 studies with metastasis, 3 without.

    Nothing may be written there; a test that spoils a file copies the folder first.
    """
    folder = tmp_path_factory.mktemp("cohort")
    counts = CohortCounts(positive=3, negative=3)
    write_cohort(folder, style=STYLES["aachen"], counts=counts, seed=1, preset="conspicuous")
    return folder
