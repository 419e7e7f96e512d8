"""Hot regions of a map, against cases worked by hand."""

from __future__ import annotations

import numpy as np

from bs_client.dicom.presentation_state import Circle
from bs_client.predict.regions import MAX_CIRCLES, circles_around, hot_masks


def test_half_of_the_hottest_value_of_both_maps_is_the_bound() -> None:
    anterior = np.array([[1.0, 0.5, 0.49]], np.float32)
    posterior = np.array([[0.4, 0.5, 0.6]], np.float32)

    marked = hot_masks(anterior, posterior)

    assert marked[0].tolist() == [[True, True, False]]
    assert marked[1].tolist() == [[False, True, True]]


def test_maps_without_any_heat_mark_nothing() -> None:
    cold = np.zeros((2, 2), np.float32)

    assert not any(mask.any() for mask in hot_masks(cold, cold))


def test_a_circle_holds_the_box_of_its_region() -> None:
    mask = np.zeros((40, 40), bool)
    mask[10:16, 20:28] = True  # 6 x 8: diagonal 10

    assert circles_around(mask) == (Circle(row=13, column=24, radius=5),)


def test_the_largest_region_comes_first_and_their_number_is_bounded() -> None:
    mask = np.zeros((4, 200), bool)
    mask[0, ::3] = True
    mask[2:4, 100:110] = True

    circles = circles_around(mask)

    assert len(circles) == MAX_CIRCLES
    assert circles[0].column == 105


def test_no_point_of_a_circle_that_is_written_lies_outside_the_frame() -> None:
    mask = np.zeros((20, 10), bool)
    mask[0:20, 6:10] = True

    (circle,) = circles_around(mask)

    assert circle.column + circle.radius <= 10


def test_an_empty_mask_has_no_circle() -> None:
    assert circles_around(np.zeros((3, 3), bool)) == ()
