"""Three synthetic studies as files, and a model whose network is a stand-in or real."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from numpy.typing import NDArray

from bs_client.dicom.settings import IngestSettings
from bs_client.model.network import Network
from bs_client.phantom.cohort import CohortCounts, write_cohort
from bs_client.phantom.site_style import STYLES
from bs_client.predict.model import OpenModel
from bs_client.predict.studies import Predictor, Wanted
from bs_common.bundle import ModelBundle
from support.released import drawn_head, make_model

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
MakePredictor = Callable[..., Predictor]


class BrightnessNetwork(Network):
    """Takes the mean brightness of a scan for its margin; its last layer lights one corner."""

    def __init__(self) -> None:
        pass

    def explain(
        self, images: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        count, rows, columns, _ = images.shape
        maps = np.zeros((count, rows // 16, columns // 16, 512), np.float32)
        maps[:, 0, 0] = 1
        return maps, images.mean(axis=(1, 2, 3), dtype=np.float64)


@pytest.fixture(scope="session")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three studies of two objects each, with labels and masks beside them."""
    folder = tmp_path_factory.mktemp("phantoms")
    write_cohort(
        folder,
        style=STYLES["aalborg"],
        counts=CohortCounts(external_positive=2, external_negative=1),
        seed=1,
        preset="conspicuous",
        progress=lambda done, total: None,
    )
    return folder


@pytest.fixture(scope="session")
def make_predictor() -> MakePredictor:
    """Make a predictor with the stand-in network that writes into a folder."""

    def make(folder: Path, *, maps: bool = False, dicom: bool = False) -> Predictor:
        arrays = drawn_head()
        bundle = ModelBundle(make_model(arrays), arrays, manifest_sha256="c" * 64)
        folder.mkdir(exist_ok=True)
        return Predictor(
            OpenModel(bundle, BrightnessNetwork()),
            IngestSettings(),
            folder,
            Wanted(maps=maps, dicom=dicom),
            clock=lambda: NOW,
        )

    return make
