"""Sheets of right and wrong calls."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from bs_client.explain.cases import CaseMap
from bs_client.explain.overlay import OverlayCaption, OverlayView
from bs_client.explain.sheets import choose_sheets


def caption(
    case: int, probability: float, *, label: bool, synthetic: bool = True
) -> OverlayCaption:
    return OverlayCaption(case, probability, 0.5, label, synthetic)


CAPTIONS = [
    *(caption(n, 0.5 + n / 20, label=True) for n in range(1, 9)),
    *(caption(n, 0.5 + n / 30, label=False) for n in range(9, 14)),
    *(caption(n, n / 50, label=True) for n in range(14, 18)),
]


def case(of: OverlayCaption, rows: int = 60) -> CaseMap:
    counts = np.zeros((rows, 20), np.float32)
    counts[5:-5, 5:-5] = 7
    heat = np.zeros_like(counts)
    heat[8:12, 8:12] = 0.5
    view = OverlayView(counts, heat, heat > 0)
    return CaseMap(of, view, view, None, {}, 1)


def test_the_surest_calls_of_each_outcome_are_shown() -> None:
    sheets = choose_sheets(CAPTIONS)

    assert sheets.chosen == {"right.png": [8, 7, 6, 5, 4, 3], "wrong.png": [13, 12, 11, 14, 15, 16]}


def test_each_sheet_is_one_picture_for_its_owner_alone(tmp_path: Path) -> None:
    sheets = choose_sheets(CAPTIONS)
    for one in CAPTIONS:
        sheets.offer(case(one))

    sheets.draw(tmp_path)

    assert len(sheets.held) == 12
    assert sorted(path.name for path in tmp_path.iterdir()) == ["right.png", "wrong.png"]
    for path in tmp_path.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
        with Image.open(path) as picture:
            assert picture.width > 1000 > 500 < picture.height


def test_a_sheet_without_a_case_is_not_written(tmp_path: Path) -> None:
    sheets = choose_sheets(CAPTIONS[:2])
    for one in CAPTIONS[:2]:
        sheets.offer(case(one, rows=24))

    sheets.draw(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["right.png"]
