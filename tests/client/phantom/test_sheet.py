from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from bs_client.phantom import PhantomStudy, contact_sheet


def red_pixels(path: Path) -> int:
    with Image.open(path) as picture:
        red, green, _ = np.moveaxis(np.asarray(picture.convert("RGB")).astype(int), -1, 0)
    return int(np.sum(red - green > 60))


def test_a_sheet_outlines_metastases_in_red_and_nothing_else(
    studies: tuple[PhantomStudy, ...], tmp_path: Path
) -> None:
    negatives, positives = tmp_path / "negatives.png", tmp_path / "positives.png"

    contact_sheet([study for study in studies if not study.label], negatives)
    contact_sheet([study for study in studies if study.label], positives)

    assert red_pixels(negatives) == 0
    assert red_pixels(positives) > 50
