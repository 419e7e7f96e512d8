"""Points and foci to planar projections: attenuation in the body and the camera's blur."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bs_client.phantom.cloud import Activity, Points
from bs_client.phantom.findings import Finding
from bs_client.phantom.patient import Patient, Pose, posed
from bs_client.phantom.soft_tissue import half_depth_mm
from bs_client.phantom.window import SIDE, Image, View, Window

# Effective broad-beam attenuation of 140 keV in tissue, 1/mm: below the narrow-beam 0.0154 of
# water, because part of the scatter is still counted in the window.
ATTENUATION_PER_MM = 0.0115
DEPTH_RANGE_MM = (4.0, 260.0)  # no point is nearer to or farther from the skin
FAR_MM = 220.0  # depth at which the far resolution of a camera is stated
SIGMA_PER_FWHM = 1 / 2.355  # 1 / (2 sqrt(2 ln 2)), for a Gaussian

BONE_PER_MM2 = 0.12  # activity of typical bone in projection, the unit of a focus' amplitude
# A focus is outlined where it exceeds this share of its own peak ...
OUTLINE_LEVEL = 0.45
# ... in the views where its peak exceeds this share of the bone around it.
VISIBLE_CONTRAST = 0.25


def depth_mm(points: Points, patient: Patient, view: View) -> NDArray[np.float64]:
    """Give how far posed points lie below the skin that faces the camera, (points,) mm."""
    return half_depth_mm(points, patient) - SIDE[view] * points[:, 1]


def transmission(depth: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the share of photons that leave the body: exp(-mu depth), depth in mm."""
    return np.exp(-ATTENUATION_PER_MM * np.clip(depth, *DEPTH_RANGE_MM))


def project_points(
    points: Points,
    activity: Activity,
    *,
    depth: NDArray[np.float64],
    window: Window,
    view: View,
    fwhm_mm: tuple[float, float],
) -> Image:
    """Project posed points onto one camera head, (rows, columns) activity per pixel.

    The blur grows with depth; it is the mixture of a sharp and a wide Gaussian whose shares go
    linearly from 1 : 0 at the skin to 0 : 1 at 220 mm. Points outside the window are lost.
    """
    column = np.floor(window.columns / 2 + SIDE[view] * points[:, 0] / window.spacing_mm)
    row = np.floor((window.top_mm - points[:, 2]) / window.spacing_mm)
    inside = (row >= 0) & (row < window.rows) & (column >= 0) & (column < window.columns)
    pixel = (row * window.columns + column)[inside].astype(np.intp)
    detected = (activity * transmission(depth))[inside]
    far = np.clip(depth[inside] / FAR_MM, 0, 1)
    near_layer = _blurred_layer(pixel, detected * (1 - far), window=window, fwhm_mm=fwhm_mm[0])
    return near_layer + _blurred_layer(pixel, detected * far, window=window, fwhm_mm=fwhm_mm[1])


def _blurred_layer(
    pixel: NDArray[np.intp], weight: NDArray[np.float64], *, window: Window, fwhm_mm: float
) -> Image:
    layer = np.bincount(pixel, weight, window.rows * window.columns).astype(np.float32)
    sigma = fwhm_mm * SIGMA_PER_FWHM / window.spacing_mm
    blurred: Image = ndimage.gaussian_filter(
        layer.reshape(window.rows, window.columns), sigma, truncate=3
    )
    return blurred


@dataclass(frozen=True, slots=True, eq=False)
class FocusPatch:
    """One focus as the camera sees it: activity per pixel in a small part of the window."""

    rows: slice
    columns: slice
    activity: NDArray[np.float64]  # (rows, columns) of the patch
    malignant: bool


def project_foci(
    findings: Iterable[Finding],
    *,
    patient: Patient,
    pose: Pose,
    window: Window,
    view: View,
    fwhm_mm: tuple[float, float],
) -> tuple[FocusPatch, ...]:
    """Project every focus of every finding onto one camera head."""
    foci = [(finding, centre) for finding in findings for centre in finding.centres_mm]
    centres = np.array([centre for _, centre in foci], np.float32).reshape(-1, 3)
    centres = posed(centres, patient, pose)
    depths = depth_mm(centres, patient, view)
    sigmas = np.interp(depths, (0, FAR_MM), fwhm_mm) * SIGMA_PER_FWHM
    return tuple(
        _focus_patch(
            finding,
            x=SIDE[view] * float(centre[0]),
            z=float(centre[2]),
            transmitted=float(through),
            blur_mm=float(blur),
            window=window,
        )
        for (finding, _), centre, through, blur in zip(
            foci, centres, transmission(depths), sigmas, strict=True
        )
    )


def _focus_patch(
    finding: Finding, *, x: float, z: float, transmitted: float, blur_mm: float, window: Window
) -> FocusPatch:
    """Draw a Gaussian at x and z (mm) whose total is kept when the camera's blur widens it."""
    own_sigma = finding.size_mm / 2  # mm
    sigma = np.hypot(own_sigma, blur_mm)
    rows, columns = window.box(
        x_mm=(x - 4 * sigma, x + 4 * sigma), z_mm=(z - 4 * sigma, z + 4 * sigma)
    )
    peak = finding.amplitude * BONE_PER_MM2 * window.spacing_mm**2 * transmitted
    across = np.exp(-((window.x_of_columns()[columns] - x) ** 2) / (2 * sigma**2))
    along = np.exp(-((window.z_of_rows()[rows] - z) ** 2) / (2 * sigma**2))
    activity = peak * (own_sigma / sigma) ** 2 * np.outer(along, across)
    return FocusPatch(rows, columns, activity, finding.malignant)


def with_foci(bone: Image, patches: Iterable[FocusPatch]) -> Image:
    """Give the bone picture with the foci added."""
    active = bone.copy()
    for patch in patches:
        active[patch.rows, patch.columns] += patch.activity.astype(np.float32)
    return active


def malignant_mask(bone: Image, patches: Iterable[FocusPatch]) -> NDArray[np.bool_]:
    """Outline the metastases that can be seen in this view, (rows, columns) bool."""
    mask = np.zeros(bone.shape, bool)
    for patch in patches:
        around = bone[patch.rows, patch.columns]
        peak = patch.activity.max(initial=0)
        if patch.malignant and peak > VISIBLE_CONTRAST * around.mean():
            mask[patch.rows, patch.columns] |= patch.activity > OUTLINE_LEVEL * peak
    return mask
