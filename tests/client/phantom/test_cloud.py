from __future__ import annotations

import numpy as np
import pytest

from bs_client.phantom.cloud import body_cloud, build_cloud
from bs_client.phantom.shapes import Ellipsoid, Plate, Tube, left_and_right


def test_a_tube_carries_the_integral_of_its_activity_along_the_path() -> None:
    # 100 mm, rising from 1 to 3 per mm: 200 in all.
    tube = Tube("bone", ((0, 0, 0), (0, 0, 100)), activity_per_mm=(1, 3), thickness_mm=10)

    cloud = build_cloud([tube])

    assert cloud.activity.sum() == pytest.approx(200, rel=1e-5)


def test_an_ellipsoid_lies_within_its_half_axes_and_is_uniform() -> None:
    shape = Ellipsoid("organ", (5, -3, 100), (10, 20, 30), activity=7, points=4000)

    cloud = build_cloud([shape])

    relative = (cloud.positions_mm - (5, -3, 100)) / (10, 20, 30)
    radius = np.linalg.norm(relative, axis=1)
    assert radius.max() <= 1.00001
    assert np.mean(radius**2) == pytest.approx(3 / 5, abs=0.01)  # of a uniform unit ball
    assert cloud.activity.sum() == pytest.approx(7, rel=1e-5)


def test_a_plate_has_the_centre_of_its_triangle() -> None:
    corners = ((0.0, 0.0, 0.0), (90.0, 0.0, 0.0), (0.0, 0.0, 60.0))

    cloud = build_cloud([Plate("wing", corners, activity=1, points=3000)])

    np.testing.assert_allclose(cloud.positions_mm.mean(axis=0), (30, 0, 20), atol=0.5)


def test_sides_are_mirror_images_named_by_side() -> None:
    cloud = build_cloud(left_and_right([Ellipsoid("joint", (80, 5, 500), (9, 9, 9), 3)]))

    assert cloud.names == ("left_joint", "right_joint")
    assert cloud.points_of("left_joint")[:, 0].min() > 0
    assert cloud.points_of("right_joint")[:, 0].mean() == pytest.approx(-80, abs=0.2)


def test_the_axis_of_a_rib_runs_from_the_spine_to_the_front() -> None:
    axis = body_cloud().axis_of("left_rib6")

    assert axis[0, 1] < -60  # behind mid-body
    assert axis[-1, 1] > 60  # in front of it
    assert np.linalg.norm(np.diff(axis, axis=0), axis=1).max() < 6  # mm: no jump to a neighbour


def test_the_body_has_every_vertebra_and_rib() -> None:
    names = set(body_cloud().names)

    vertebrae = [
        f"{part}{n}" for part, most in (("C", 7), ("T", 12), ("L", 5)) for n in range(1, most + 1)
    ]
    ribs = [f"{side}_rib{n}" for side in ("left", "right") for n in range(1, 13)]
    assert names.issuperset(vertebrae + ribs)


def test_asking_for_an_unknown_bone_fails() -> None:
    with pytest.raises(ValueError, match="not in tuple"):
        body_cloud().points_of("third_arm")
