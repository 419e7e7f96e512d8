from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from bs_client.model.backbone import draw_backbone
from bs_client.model.device import prepare_device
from bs_common.architecture import NamedArrays

SIZE = 64  # rows and columns of the tests' inputs


@pytest.fixture(scope="session")
def device() -> str:
    return prepare_device(2)


@pytest.fixture(scope="session")
def backbone(device: str) -> NamedArrays:
    return draw_backbone(3)


@pytest.fixture(scope="session")
def images() -> NDArray[np.float32]:
    return np.random.default_rng(0).random((6, SIZE, SIZE, 3), np.float32)
