"""The body around the bones: how deep a point lies under the skin, and how thick the body is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bs_client.phantom.cloud import Points
from bs_client.phantom.patient import Patient, Pose, posed
from bs_client.phantom.window import Image, Window

# Half the body's front-to-back thickness (mm) at each template height (mm): soles to crown.
HEIGHTS_MM = (0, 300, 470, 520, 850, 900, 1200, 1400, 1450, 1520, 1560, 1640, 1745)
HALF_DEPTHS_MM = (34, 46, 52, 66, 80, 112, 114, 108, 85, 62, 84, 96, 70)
ARM_HALF_DEPTH_MM = 38.0
ARM_FROM_MM, ARM_BELOW_MM = 165.0, 1400.0  # beside and below the shoulder joint

Capsule = tuple[float, float, float, float, float, float, float]

# Tapered capsules with elliptical cross-section: x and z of the upper end, x and z of the lower,
# half width above, half width below, half depth; all in mm. Limbs are those of the left side.
TRUNK: tuple[Capsule, ...] = (
    (0, 1655, 0, 1620, 78, 78, 92),  # head
    (0, 1575, 0, 1450, 54, 60, 62),  # neck
    (0, 1440, 0, 1300, 158, 152, 108),  # chest
    (0, 1300, 0, 1060, 150, 146, 112),  # abdomen
    (0, 1060, 0, 890, 146, 164, 112),  # hips
)
LEFT_LIMBS: tuple[Capsule, ...] = (
    (128, 1430, 172, 1405, 48, 46, 52),  # shoulder
    (174, 1405, 214, 1120, 46, 34, 42),  # upper arm
    (216, 1110, 239, 860, 36, 25, 32),  # forearm
    (239, 850, 238, 760, 36, 30, 17),  # hand
    (92, 880, 94, 520, 86, 54, 76),  # thigh
    (92, 500, 88, 340, 50, 56, 52),  # knee and upper calf
    (88, 340, 85, 100, 54, 31, 46),  # lower calf
    (87, 95, 106, 0, 36, 34, 32),  # foot
)
RIGHT_LIMBS = tuple((-x0, z0, -x1, z1, *size) for x0, z0, x1, z1, *size in LEFT_LIMBS)
CAPSULES = np.array([*TRUNK, *LEFT_LIMBS, *RIGHT_LIMBS], np.float64)
SKIN_BLUR_MM = 12.0  # standard deviation; rounds the seams between capsules


def half_depth_mm(points: Points, patient: Patient) -> NDArray[np.float64]:
    """Give the distance from mid-body to the skin, front or back, at posed points, (points,) mm."""
    x, height = np.abs(points[:, 0]), points[:, 2] / patient.height
    half = np.interp(height, HEIGHTS_MM, HALF_DEPTHS_MM)
    in_arm = (x > ARM_FROM_MM * patient.width) & (height < ARM_BELOW_MM)
    return np.where(in_arm, ARM_HALF_DEPTH_MM, half) * patient.girth


def thickness_mm(window: Window, patient: Patient, pose: Pose) -> Image:
    """Give the front-to-back thickness of the body seen from the front, (rows, columns) mm.

    Computed on every second row and column: soft tissue has no finer detail.
    """
    coarse = window.coarser(2)
    thickness = np.zeros((coarse.rows, coarse.columns), np.float32)
    upper_x, upper_z = _posed_ends(CAPSULES[:, 0:2], patient, pose)
    lower_x, lower_z = _posed_ends(CAPSULES[:, 2:4], patient, pose)
    sizes = CAPSULES[:, 4:] * patient.girth
    for number, (upper_half, lower_half, half_depth) in enumerate(sizes):
        _add_capsule(
            thickness,
            coarse,
            upper=(upper_x[number], upper_z[number], upper_half),
            lower=(lower_x[number], lower_z[number], lower_half),
            half_depth=half_depth,
        )
    smooth = ndimage.gaussian_filter(thickness, SKIN_BLUR_MM / coarse.spacing_mm)
    full: Image = smooth.repeat(2, axis=0).repeat(2, axis=1)
    return full


def _posed_ends(
    ends: NDArray[np.float64], patient: Patient, pose: Pose
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    points = np.stack([ends[:, 0], np.zeros(len(ends)), ends[:, 1]], axis=1).astype(np.float32)
    moved = posed(points, patient, pose)
    return moved[:, 0], moved[:, 2]


End = tuple[float, float, float]  # x, z and half width in mm


def _add_capsule(
    thickness: Image, window: Window, *, upper: End, lower: End, half_depth: float
) -> None:
    """Raise `thickness` in place to that of one capsule where the capsule is the thicker."""
    (x0, z0, half0), (x1, z1, half1) = upper, lower
    reach = max(half0, half1)
    rows, columns = window.box(
        x_mm=(min(x0, x1) - reach, max(x0, x1) + reach),
        z_mm=(min(z0, z1) - reach, max(z0, z1) + reach),
    )
    x = window.x_of_columns()[columns][None, :]
    z = window.z_of_rows()[rows][:, None]
    along = np.clip((z - z0) / (z1 - z0), 0, 1)  # 0 at the upper end, 1 at the lower
    across = (x - x0 - along * (x1 - x0)) ** 2 + (z - z0 - along * (z1 - z0)) ** 2
    relative = across / (half0 + along * (half1 - half0)) ** 2
    chord = 2 * half_depth * np.sqrt(np.clip(1 - relative, 0, 1))
    np.maximum(thickness[rows, columns], chord, out=thickness[rows, columns], casting="same_kind")
