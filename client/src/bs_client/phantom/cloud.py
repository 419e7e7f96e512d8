"""Shapes turned into one cloud of active points: the body before it is drawn as a patient.

Regular (Fibonacci, additive-recurrence) point sets are used where possible: they give smooth
pictures with few points. The cloud is the same in every study, so it is built once.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bs_client.phantom.shapes import (
    Ellipsoid,
    Plate,
    Profile,
    Shape,
    SkullCap,
    Tube,
    VertebralBody,
)
from bs_client.phantom.skeleton_axial import axial_skeleton
from bs_client.phantom.skeleton_limbs import URINARY_TRACT, limbs
from bs_common.randomness import generator

Points = NDArray[np.float32]  # (points, 3): x, y, z in mm
Activity = NDArray[np.float32]  # (points,), arbitrary units
Floats = NDArray[np.float64]

POINTS_PER_MM = 0.20  # along each filament of a tube: 5 mm apart, finer than any camera resolves
GOLDEN_ANGLE = 2.399963  # radians, pi * (3 - sqrt 5)
PLASTIC = (0.7548777, 0.5698403)  # 1/g and 1/g^2 of the plastic number: the R2 sequence (Roberts)

# A tube is a bundle of filaments at these offsets (in radii), each with its share of the activity:
# the axis, the corners of a cube, and the ends of its three axes. Shares sum to 1.
CUBE = [(i, j, k) for i in (-0.45, 0.45) for j in (-0.45, 0.45) for k in (-0.45, 0.45)]
ENDS = [(1, 0, 0), (0, 1, 0), (0, 0, 1), (-1, 0, 0), (0, -1, 0), (0, 0, -1)]
FILAMENT_OFFSETS = np.array([(0, 0, 0), *CUBE, *ENDS])
FILAMENT_SHARES = np.array([0.12] + [0.085] * 8 + [0.2 / 6] * 6)


@dataclass(frozen=True, slots=True, eq=False)
class Cloud:
    """Active points of the whole body.

    positions_mm : (points, 3) float32.
    activity : (points,) float32, arbitrary units.
    part : (points,) int16, index into `names`.
    """

    positions_mm: Points
    activity: Activity
    part: NDArray[np.int16]
    names: tuple[str, ...]

    def points_of(self, name: str) -> Points:
        """Give the points of one part, (points, 3); raises ValueError for an unknown part."""
        points: Points = self.positions_mm[self.part == self.names.index(name)]
        return points

    def axis_of(self, name: str) -> Points:
        """Give the axis, first to last point, of a part that is a single tube (a rib)."""
        points = self.points_of(name)
        return points[: len(points) // len(FILAMENT_SHARES)]


@functools.cache
def body_cloud() -> Cloud:
    """Build the cloud of the whole body (about 117,000 points), once per process."""
    return build_cloud((*axial_skeleton(), *limbs(), *URINARY_TRACT))


def build_cloud(shapes: Iterable[Shape]) -> Cloud:
    """Fill shapes with points; shapes of the same part share one name.

    Raises ValueError if there are no shapes.
    """
    rng = generator(0, "phantom", "cloud")
    names: dict[str, int] = {}
    positions, activities, parts = [], [], []
    for shape in shapes:
        points, activity = _fill(shape, rng)
        number = names.setdefault(shape.part, len(names))
        positions.append(points.astype(np.float32))
        activities.append(activity.astype(np.float32))
        parts.append(np.full(len(points), number, np.int16))
    return Cloud(
        np.concatenate(positions), np.concatenate(activities), np.concatenate(parts), tuple(names)
    )


Filled = tuple[Floats, Floats]  # positions (n, 3), activity (n,)


def _fill(shape: Shape, rng: np.random.Generator) -> Filled:
    match shape:
        case Tube():
            return fill_tube(shape)
        case Ellipsoid():
            return _fill_ellipsoid(shape)
        case Plate():
            return _fill_plate(shape, rng)
        case VertebralBody():
            return _fill_vertebral_body(shape, rng)
        case SkullCap():
            return _fill_skull_cap(shape)


def fill_tube(tube: Tube) -> Filled:
    """Fill a tube with 15 filaments, axis first, each from the first path point to the last.

    Total activity is the integral of `activity_per_mm` along the path.
    """
    path = np.array(tube.path_mm, float)
    steps = np.linalg.norm(np.diff(path, axis=0), axis=1)
    arc = np.concatenate([[0.0], np.cumsum(steps)])  # mm along the path
    count = max(8, int(arc[-1] * POINTS_PER_MM))
    at = np.linspace(0, arc[-1], count)
    axis = np.stack([np.interp(at, arc, path[:, k]) for k in range(3)], axis=1)  # (count, 3)
    radius = _along(tube.thickness_mm, at, arc) / 2
    activity = _along(tube.activity_per_mm, at, arc) * arc[-1] / count
    points = axis + FILAMENT_OFFSETS[:, None, :] * radius[:, None]  # (15, count, 3)
    return points.reshape(-1, 3), np.outer(FILAMENT_SHARES, activity).ravel()


def _along(profile: Profile, at: Floats, arc: Floats) -> Floats:
    values = profile if isinstance(profile, tuple) else (profile,) * len(arc)
    return np.interp(at, arc, values)


def _fill_ellipsoid(shape: Ellipsoid) -> Filled:
    count = shape.points
    depth = (((np.arange(count) + 0.5) * 0.41421356) % 1) ** (1 / 3)  # uniform in volume
    points = np.array(shape.centre_mm) + sphere(count) * depth[:, None] * shape.half_axes_mm
    return points, np.full(count, shape.activity / count)


def _fill_plate(shape: Plate, rng: np.random.Generator) -> Filled:
    cuts = np.sort((np.arange(1, shape.points + 1)[:, None] * np.array(PLASTIC)) % 1, axis=1)
    weights = np.stack([cuts[:, 0], cuts[:, 1] - cuts[:, 0], 1 - cuts[:, 1]], axis=1)
    blur = rng.normal(size=(shape.points, 3)) * shape.thickness_mm / 2
    points = weights @ np.array(shape.corners_mm, float) + blur
    return points, np.full(shape.points, shape.activity / shape.points)


def _fill_vertebral_body(shape: VertebralBody, rng: np.random.Generator) -> Filled:
    inside = rng.uniform(-1, 1, (shape.points, 3))
    end_plate = 1 + 0.7 * (np.abs(inside[:, 2]) > 0.7)
    points = np.array(shape.centre_mm) + inside * shape.half_size_mm
    activity: Floats = end_plate * shape.activity / shape.points
    return points, activity


def _fill_skull_cap(shape: SkullCap) -> Filled:
    directions: Floats = sphere(shape.points)[
        :, [0, 2, 1]
    ]  # poles to front and back: no seam at the top
    directions = directions[directions[:, 2] > -0.62]  # the floor is open
    rim = 1 + 0.5 * np.clip(1 - 2 * np.abs(directions[:, 1]), 0, 1)
    low = np.where(directions[:, 2] < -0.3, 0.5, 1.0)  # thin bone below the ears
    points = np.array(shape.centre_mm) + directions * shape.half_axes_mm
    activity: Floats = rim * low * shape.activity / len(points)
    return points, activity


def sphere(count: int) -> Floats:
    """Spread `count` unit vectors evenly over the sphere (Fibonacci lattice), (count, 3)."""
    index = np.arange(count) + 0.5
    height = 1 - 2 * index / count
    ring = np.sqrt(1 - height**2)
    angle = index * GOLDEN_ANGLE
    return np.stack([ring * np.cos(angle), ring * np.sin(angle), height], axis=1)
