"""The few solid shapes that a body is built of, in the body's own coordinates.

x runs to the patient's left, y to the front, z up from the soles; all lengths are in mm for a
standing adult of 1745 mm. Activity is in arbitrary units: only ratios between parts matter, since
the picture is scaled to the scanner's counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

Point = tuple[float, float, float]
Profile = float | tuple[float, ...]  # one value for all points of a path, or one each


@dataclass(frozen=True, slots=True)
class Tube:
    """A bone along a path; activity is per mm of path, thickness is the diameter."""

    part: str
    path_mm: tuple[Point, ...]
    activity_per_mm: Profile
    thickness_mm: Profile


@dataclass(frozen=True, slots=True)
class Ellipsoid:
    """A solid ellipsoid; `activity` is its total."""

    part: str
    centre_mm: Point
    half_axes_mm: Point
    activity: float
    points: int = 600


@dataclass(frozen=True, slots=True)
class Plate:
    """A flat triangle with fuzzy faces; `activity` is its total."""

    part: str
    corners_mm: tuple[Point, Point, Point]
    activity: float
    points: int
    thickness_mm: float = 5.0


@dataclass(frozen=True, slots=True)
class VertebralBody:
    """A block with hotter end plates; `activity` is the total of its interior.

    The outer 30 % of the height above and below carry 1.7 times the activity, since bone is built
    and rebuilt fastest along the end plates.
    """

    part: str
    centre_mm: Point
    half_size_mm: Point
    activity: float
    points: int = 900


@dataclass(frozen=True, slots=True)
class SkullCap:
    """A hollow ellipsoid without its floor, brighter along the coronal rim; total `activity`."""

    part: str
    centre_mm: Point
    half_axes_mm: Point
    activity: float
    points: int


Shape = Tube | Ellipsoid | Plate | VertebralBody | SkullCap


def left_and_right(shapes: Iterable[Shape]) -> tuple[Shape, ...]:
    """Give each shape of the patient's left side (x > 0) and its mirror image, named by side."""
    pairs = ((replace(shape, part=f"left_{shape.part}"), _mirrored(shape)) for shape in shapes)
    return tuple(
        side for left, right in pairs for side in (left, replace(right, part=f"right_{right.part}"))
    )


def symmetric(shapes: Iterable[Shape]) -> tuple[Shape, ...]:
    """Give each shape and its mirror image under one name, for parts that cross the midline."""
    return tuple(side for shape in shapes for side in (shape, _mirrored(shape)))


def _mirrored(shape: Shape) -> Shape:
    match shape:
        case Tube():
            return replace(shape, path_mm=tuple(_opposite(point) for point in shape.path_mm))
        case Plate(corners_mm=(a, b, c)):
            return replace(shape, corners_mm=(_opposite(a), _opposite(b), _opposite(c)))
        case _:
            return replace(shape, centre_mm=_opposite(shape.centre_mm))


def _opposite(point: Point) -> Point:
    return (-point[0], point[1], point[2])
