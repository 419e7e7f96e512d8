"""Maps against masks: cases worked by hand, laws, and another library."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, f1_score, jaccard_score

from bs_client.data.preprocess import Geometry
from bs_client.explain.agreement import (
    MEASURES,
    SOURCES,
    Agreement,
    ScanAgreement,
    agree,
    bootstrap_ratio,
    draw_scans,
    hold_against_mask,
    summarise_agreement,
)
from bs_common.errors import DataError

Pair = tuple[NDArray[np.float32], NDArray[np.float32]]
EMPTY = np.zeros((6, 4), np.float32)
CELL = (1.0, 1.0)


def views(*points: tuple[int, int, int, float]) -> Pair:
    """Set (view, row, column) to a value."""
    both = np.zeros((2, 6, 4), np.float32)
    for view, row, column, value in points:
        both[view, row, column] = value
    return both[0], both[1]


def masks(*points: tuple[int, int, int]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    first, second = views(*((*point, 1.0) for point in points))
    return first > 0, second > 0


def test_a_case_worked_by_hand() -> None:
    heat = views((0, 1, 1, 1.0), (0, 1, 2, 0.6), (1, 4, 0, 0.4))

    found = agree(heat, masks((0, 1, 1), (1, 4, 0)), cell_px=CELL)

    # The two highest pixels are 1.0 (inside) and 0.6 (outside): one of two, so Dice 1/2, IoU 1/3.
    # Precision where the mask's pixels come up: 1/1 and 2/3.
    expected = (1, 1, 1.4 / 2.0, (1 + 2 / 3) / 2, 1 / 3, 1 / 2)
    assert astuple(found) == pytest.approx(expected)


def test_one_cell_beside_the_mask_is_tolerated_and_two_are_not() -> None:
    target = masks((0, 2, 1))

    beside = agree(views((0, 4, 1, 1.0)), target, cell_px=(2.0, 1.0))
    beyond = agree(views((0, 5, 1, 1.0)), target, cell_px=(2.0, 1.0))

    assert (beside.pointing, beside.pointing_tolerant) == (0, 1)
    assert beyond.pointing_tolerant == 0


def test_the_other_view_is_not_near() -> None:
    found = agree(views((1, 2, 1, 1.0)), masks((0, 2, 1)), cell_px=CELL)

    assert (found.pointing, found.pointing_tolerant, found.energy) == (0, 0, 0)


def test_a_perfect_map_reaches_everything() -> None:
    heat = views((0, 1, 1, 1.0), (1, 3, 2, 1.0))

    found = agree(heat, masks((0, 1, 1), (1, 3, 2)), cell_px=CELL)

    assert astuple(found) == pytest.approx((1,) * 6)


def test_a_map_without_preference_has_the_share_of_the_mask() -> None:
    flat = (EMPTY + 1, EMPTY + 1)

    found = agree(flat, masks((0, 0, 0), (0, 5, 3), (1, 2, 2)), cell_px=CELL)

    share = 3 / 48
    assert (found.pointing, found.energy) == pytest.approx((share, share))
    assert (found.auprc, found.dice) == pytest.approx((share, share))


def test_a_blank_map_agrees_with_nothing() -> None:
    found = agree((EMPTY, EMPTY), masks((0, 0, 0)), cell_px=CELL)

    assert astuple(found) == pytest.approx((0, 0, 0, 1 / 48, 0, 0))


@settings(deadline=None, max_examples=60)
@given(
    arrays(np.float32, (2, 6, 4), elements=st.integers(1, 99).map(float), unique=True),
    arrays(np.bool_, (2, 6, 4)).filter(lambda mask: bool(mask.any())),
)
def test_overlap_and_curve_are_those_of_scikit_learn(
    heat: NDArray[np.float32], mask: NDArray[np.bool_]
) -> None:
    found = agree((heat[0], heat[1]), (mask[0], mask[1]), cell_px=CELL)

    taken = heat.ravel() >= np.sort(heat.ravel())[-mask.sum()]
    assert found.dice == pytest.approx(f1_score(mask.ravel(), taken))
    assert found.iou == pytest.approx(jaccard_score(mask.ravel(), taken))
    assert found.auprc == pytest.approx(average_precision_score(mask.ravel(), heat.ravel()))
    assert found.energy == pytest.approx(heat[mask].sum() / heat.sum(), rel=1e-5)
    assert found.pointing == float(mask.ravel()[heat.argmax()])
    assert found.pointing_tolerant >= found.pointing


@given(st.floats(0.01, 100))
def test_brightening_a_map_changes_nothing(factor: float) -> None:
    heat = views((0, 1, 1, 1.0), (0, 1, 2, 0.6), (1, 4, 0, 0.4))
    target = masks((0, 1, 2), (1, 4, 0))
    brighter = (heat[0] * np.float32(factor), heat[1] * np.float32(factor))

    found = agree(brighter, target, cell_px=CELL)

    assert astuple(found) == pytest.approx(astuple(agree(heat, target, cell_px=CELL)), rel=1e-4)


@pytest.mark.parametrize("mask", [masks(), (np.ones((3, 3), bool), np.ones((3, 3), bool))])
def test_an_empty_mask_and_one_of_another_matrix_are_refused(
    mask: tuple[NDArray[np.bool_], NDArray[np.bool_]],
) -> None:
    with pytest.raises(DataError):
        agree(views((0, 0, 0, 1.0)), mask, cell_px=CELL)


GEOMETRY = Geometry((64, 32), (64, 32))


def scan(heat: NDArray[np.float32], *, radius: int = 6) -> ScanAgreement:
    """A body in both views, with one lesion in the anterior view at row 20, column 16."""
    rows, columns = np.mgrid[:64, :32]
    body = ((columns > 6) & (columns < 26)).astype(np.float32) * 5
    lesion = (rows - 20) ** 2 + (columns - 16) ** 2 <= radius**2
    mask = (lesion, np.zeros((64, 32), bool))
    return hold_against_mask(heat, (body + 20 * lesion, body), mask, GEOMETRY)


def heat_at(row: int, column: int) -> NDArray[np.float32]:
    heat = np.full((16, 16), 0.01, np.float32)  # cells of 4 x 4 pixels; anterior left
    heat[row, column] = 1
    return heat


def test_each_map_is_held_against_three_that_know_nothing() -> None:
    found = scan(heat_at(5, 4)).by_source

    assert tuple(found) == SOURCES
    assert found["model"].pointing == 1
    assert found["intensity"].pointing == 1  # the lesion is the brightest place
    assert found["body"].energy < found["intensity"].energy < found["ceiling"].energy
    assert found["model"].dice <= found["ceiling"].dice < 1


def test_a_spot_counts_as_hit_from_half_of_the_highest_value_on() -> None:
    at, beside = scan(heat_at(5, 4)), scan(heat_at(14, 12))

    assert (at.lesions, at.lesions_hit, at.blank) == (1, 1, False)
    assert (beside.lesions, beside.lesions_hit) == (1, 0)


def test_the_ceiling_falls_with_the_size_of_the_lesion() -> None:
    ceilings = [scan(heat_at(5, 4), radius=r).by_source["ceiling"].dice for r in (8, 4, 2)]

    assert ceilings == sorted(ceilings, reverse=True)
    assert ceilings[-1] < 0.7


def summary_of(values: list[float]) -> list[ScanAgreement]:
    return [
        ScanAgreement(
            by_source={s: Agreement(v, v, v, v, v, v) for s in SOURCES},
            chance=0.01,
            lesions=4,
            lesions_hit=round(4 * v),
            blank=v == 0,
        )
        for v in values
    ]


def test_means_are_over_scans_and_the_same_map_adds_nothing_to_itself() -> None:
    found = summarise_agreement(summary_of([0.0, 0.5, 1.0]), seed=1)

    assert found is not None
    assert (found.scans, found.blank, found.lesions) == (3, 1, 12)
    mean = found.by_source["model"]["energy"]
    assert mean.value == pytest.approx(0.5)
    assert (mean.low, mean.high) == (0, 1)  # 27 resamples of three scans
    assert all(m.value == m.low == m.high == 0 for m in found.beyond_intensity.values())
    assert found.lesion_hits.value == pytest.approx(6 / 12)


def test_no_scan_has_no_summary() -> None:
    assert summarise_agreement([], seed=1) is None


@pytest.mark.parametrize("scans", [8, 25, 60])
def test_the_interval_holds_the_true_mean_as_often_as_it_says(scans: int) -> None:
    rng = np.random.default_rng(5)
    held = 0
    for seed in range(500):
        values = rng.beta(2, 3, scans)  # mean 0.4
        drawn = draw_scans(scans, seed=seed, resamples=1000)
        mean = bootstrap_ratio(values, np.ones(scans), drawn)
        held += mean.low <= 0.4 <= mean.high

    assert 0.90 <= held / 500 <= 0.98


def test_one_scan_has_an_interval_without_width() -> None:
    found = summarise_agreement(summary_of([0.5]), seed=1)

    assert found is not None
    mean = found.by_source["model"]["energy"]
    assert mean.low == mean.value == mean.high == 0.5


def test_every_measure_is_summarised() -> None:
    found = summarise_agreement(summary_of([0.2, 0.4]), seed=1, resamples=100)

    assert found is not None
    assert all(set(measures) == set(MEASURES) for measures in found.by_source.values())
