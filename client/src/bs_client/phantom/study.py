"""One synthetic bone scan: everything drawn for it, and the two count images that follow."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from bs_client.phantom.acquisition import (
    CountImage,
    Exposure,
    draw_counts,
    draw_exposure,
    expected_counts,
)
from bs_client.phantom.camera import (
    depth_mm,
    malignant_mask,
    project_foci,
    project_points,
    with_foci,
)
from bs_client.phantom.cloud import Activity, Points, body_cloud
from bs_client.phantom.findings import (
    SUPERSCAN_SHARE,
    Finding,
    Preset,
    draw_benign,
    draw_metastases,
)
from bs_client.phantom.patient import Patient, Pose, draw_patient, draw_pose, posed, uptake
from bs_client.phantom.site_style import SiteStyle
from bs_client.phantom.soft_tissue import thickness_mm
from bs_client.phantom.window import Image, View, Window, body_window
from bs_common.randomness import generator

Mask = NDArray[np.bool_]  # (rows, columns)
Number = TypeVar("Number", np.float32, np.bool_)

SUPERSCAN_GIRTH = 0.9  # patients with diffuse disease have lost weight


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything drawn for a study before the camera counts: the same scene, the same picture."""

    patient: Patient
    pose: Pose
    findings: tuple[Finding, ...]
    superscan: bool
    exposure: Exposure


@dataclass(frozen=True, slots=True, eq=False)
class RenderedView:
    """One view without noise: mean counts and the outline of visible metastases."""

    mean: Image  # (rows, columns) of the site's matrix
    mask: Mask


@dataclass(frozen=True, slots=True, eq=False)
class PhantomStudy:
    """One synthetic study.

    anterior, posterior : (rows, columns) uint16 counts, rows head to foot; the posterior view as
        seen from behind (patient's left on the left).
    mask_anterior, mask_posterior : metastases that can be seen in that view, bool.
    label : True with metastasis; then at least one of the masks is not empty.
    patient_number : patients may have more than one study.
    superscan : diffuse disease besides the foci.
    """

    seed: int
    number: int
    patient_number: int
    style: SiteStyle
    preset: Preset
    label: bool
    patient: Patient
    findings: tuple[Finding, ...]
    superscan: bool
    anterior: CountImage
    posterior: CountImage
    mask_anterior: Mask
    mask_posterior: Mask


def draw_study(
    seed: int,
    number: int,
    *,
    style: SiteStyle,
    label: bool,
    preset: Preset,
    patient_number: int | None = None,
) -> PhantomStudy:
    """Draw one study; the same arguments give the same arrays.

    Parameters
    ----------
    seed : of the cohort, >= 0.
    number : of the study within the cohort, >= 0.
    patient_number : whose body it is; the study's own number if not given.
    """
    person = number if patient_number is None else patient_number
    patient = draw_patient(generator(seed, "phantom", style.name, "patient", person), body_cloud())
    # A positive whose metastases are all hidden by other bones is drawn again: the label must be
    # one that a reader could give.
    for attempt in itertools.count():
        rng = generator(seed, "phantom", style.name, "study", number, attempt)
        scene = draw_scene(rng, patient, style=style, label=label, preset=preset)
        anterior, posterior = render_views(scene, style)
        if not label or anterior.mask.any() or posterior.mask.any():
            break
    return PhantomStudy(
        seed=seed,
        number=number,
        patient_number=person,
        style=style,
        preset=preset,
        label=label,
        patient=patient,
        findings=scene.findings,
        superscan=scene.superscan,
        anterior=draw_counts(rng, anterior.mean),
        posterior=draw_counts(rng, posterior.mean),
        mask_anterior=anterior.mask,
        mask_posterior=posterior.mask,
    )


def draw_scene(
    rng: np.random.Generator, patient: Patient, *, style: SiteStyle, label: bool, preset: Preset
) -> Scene:
    """Draw pose, findings and acquisition of one study of a patient."""
    superscan = label and bool(rng.random() < SUPERSCAN_SHARE)
    if superscan:
        patient = replace(patient, girth=patient.girth * SUPERSCAN_GIRTH)
    pose = draw_pose(rng)
    exposure = draw_exposure(rng, style, superscan=superscan)
    benign = draw_benign(rng, body_cloud(), injection_share=style.injection_share)
    metastases = draw_metastases(rng, body_cloud(), preset=preset) if label else ()
    return Scene(patient, pose, (*metastases, *benign), superscan, exposure)


def render_views(scene: Scene, style: SiteStyle) -> tuple[RenderedView, RenderedView]:
    """Compute the anterior and the posterior view of a scene; nothing is drawn here."""
    cloud, patient, pose = body_cloud(), scene.patient, scene.pose
    window = body_window(style, height=patient.height, headroom=scene.exposure.headroom)
    body = _PosedBody(
        points=posed(cloud.positions_mm, patient, pose),
        activity=uptake(cloud, patient, pose, superscan=scene.superscan),
        thickness_mm=thickness_mm(window, patient, pose),
    )
    return (
        _render_view(scene, body, style=style, window=window, view="anterior"),
        _render_view(scene, body, style=style, window=window, view="posterior"),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _PosedBody:
    points: Points
    activity: Activity
    thickness_mm: Image  # seen from the front


def _render_view(
    scene: Scene, body: _PosedBody, *, style: SiteStyle, window: Window, view: View
) -> RenderedView:
    patient, pose = scene.patient, scene.pose
    bone = project_points(
        body.points,
        body.activity,
        depth=depth_mm(body.points, patient, view),
        window=window,
        view=view,
        fwhm_mm=style.fwhm_mm,
    )
    foci = project_foci(
        scene.findings, patient=patient, pose=pose, window=window, view=view, fwhm_mm=style.fwhm_mm
    )
    mean = expected_counts(
        bone,
        with_foci(bone, foci),
        body.thickness_mm if view == "anterior" else body.thickness_mm[:, ::-1],
        spacing_mm=window.spacing_mm,
        exposure=scene.exposure,
        view=view,
    )
    return RenderedView(
        mean=_in_matrix(mean, style, outside=scene.exposure.background[view]),
        mask=_in_matrix(malignant_mask(bone, foci), style, outside=False),
    )


def _in_matrix(image: NDArray[Number], style: SiteStyle, *, outside: float) -> NDArray[Number]:
    """Put the body's window in the middle of the site's matrix."""
    matrix = np.full((style.rows, style.columns), outside, image.dtype)
    first = (style.columns - image.shape[1]) // 2
    matrix[:, first : first + image.shape[1]] = image
    return matrix
