"""What is wrong with a patient: metastases in positives, benign findings in everyone.

Benign findings are drawn alike for both classes, so that a hot spot alone does not give the label
away. All foci are placed on the template body, before the patient's size and pose.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

import numpy as np

from bs_client.phantom.cloud import Cloud, Points
from bs_client.phantom.laws import Law, LogNormal, Uniform
from bs_client.phantom.shapes import Point

Preset = Literal["realistic", "conspicuous"]

# Number of metastases: 1 + gamma(shape, scale), so most patients have a few and some very many.
METASTASES_SHAPE, METASTASES_SCALE, METASTASES_MAX = 1.1, 5.0, 29
SUPERSCAN_SHARE = 0.06  # of the positives
LARGE_SHARE = 0.3  # of the metastases outside ribs
LARGE_SIZE_MM, LARGE_AMPLITUDE = Uniform(15, 26), LogNormal(1.7, 0.5)
SMALL_SIZE_MM, SMALL_AMPLITUDE = Uniform(7, 14), LogNormal(2.8, 0.5)
RIB_FOCI = 3  # a rib metastasis is a streak along the rib, not a point

# The conspicuous preset makes the task easy enough to be learned from a few dozen studies.
CONSPICUOUS_GAIN = 3.0
CONSPICUOUS_MIN = 4

# Where metastases sit: red marrow first. Weights are relative to each other.
MIDLINE_WEIGHTS = {
    **{f"T{number}": 2.6 for number in range(1, 13)},
    **{f"L{number}": 4.5 for number in range(1, 6)},
    "C5": 1.0,
    "sternum": 4.0,
    "sacrum": 6.0,
    "skull": 4.0,
}
SIDE_WEIGHTS = {
    **{f"rib{number}": 0.85 for number in range(1, 12)},
    "ilium": 6.0,
    "sacroiliac": 3.0,
    "acetabulum": 2.0,
    "ischium": 2.0,
    "pubis": 2.0,
    "proximal_femur": 3.0,
    "femur": 0.8,
    "humeral_head": 1.5,
    "humerus": 0.8,
    "scapula": 2.2,
    "clavicle": 0.6,
}
METASTASIS_WEIGHTS = MIDLINE_WEIGHTS | {
    f"{side}_{part}": weight for side in ("left", "right") for part, weight in SIDE_WEIGHTS.items()
}


class FindingKind(StrEnum):
    """What a finding is."""

    METASTASIS = "metastasis"
    DEGENERATIVE = "degenerative joint"
    FACET = "facet joint"
    COMPRESSION = "compression fracture"
    RIB_FRACTURE = "rib fracture"
    DENTAL = "dental"
    INJECTION = "injection site"
    URINE = "urine contamination"


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding of one or more foci.

    part : name of the bone, or ``"skin"``.
    size_mm : diameter of a focus (two standard deviations of its Gaussian profile).
    amplitude : peak of each focus over typical bone, before the camera's blur.
    centres_mm : where its foci lie on the template body.
    """

    kind: FindingKind
    part: str
    size_mm: float
    amplitude: float
    centres_mm: tuple[Point, ...]

    @property
    def malignant(self) -> bool:
        """Whether the finding makes the scan positive."""
        return self.kind is FindingKind.METASTASIS


@dataclass(frozen=True, slots=True)
class JointRule:
    """A benign finding with foci on one bone: where, how large and how hot."""

    kind: FindingKind
    parts: tuple[str, ...]
    size_mm: Law
    amplitude: Law


DEGENERATIVE_MEAN = 2.4  # joints per patient, Poisson
DEGENERATIVE = JointRule(
    FindingKind.DEGENERATIVE,
    (
        *(
            f"{side}_{joint}"
            for side in ("left", "right")
            for joint in (
                "knee",
                "patella",
                "acromioclavicular",
                "humeral_head",
                "sternoclavicular",
                "wrist",
                "ankle",
                "foot",
            )
        ),
        "left_femoral_head",
        "right_acetabulum",
        "right_elbow",
    ),
    Uniform(9, 19),
    LogNormal(1.5, 0.5),
)
FACET_SHARE = 0.38  # this and the following shares: of all patients
FACET = JointRule(
    FindingKind.FACET,
    ("L3", "L4", "L5", "T11", "C5", "C6"),
    Uniform(8, 13),
    LogNormal(1.9, 0.45),
)
DENTAL_SHARE = 0.25
DENTAL = JointRule(FindingKind.DENTAL, ("face",), Uniform(8, 12), Uniform(0.8, 2.5))
INJECTION = JointRule(  # its share is the site's
    FindingKind.INJECTION,
    ("left_hand", "right_hand", "left_wrist", "left_elbow", "right_elbow", "right_forearm"),
    Uniform(9, 22),
    LogNormal(5.0, 0.8),
)

COMPRESSION_SHARE, COMPRESSION_SIZE_MM, COMPRESSION_AMPLITUDE = 0.14, 12.0, Uniform(1.2, 3.2)
COMPRESSION_PARTS = (*(f"T{number}" for number in range(6, 13)), "L1", "L2", "L3")
COMPRESSION_SPREAD_MM = (-14.0, 0.0, 14.0)  # a bar across the vertebra

RIB_FRACTURE_SHARE, RIB_FRACTURE_SIZE_MM, RIB_FRACTURE_AMPLITUDE = 0.16, 10.0, Uniform(1.2, 4.0)
RIB_FRACTURE_FIRST, RIB_FRACTURE_MOST = (4, 8), 4  # first rib of the row; ribs broken at most
RIB_FRACTURE_PLACE = Uniform(0.35, 0.90)  # along the rib, from the spine

URINE_SHARE, URINE_SIZE_MM, URINE_AMPLITUDE = 0.12, Uniform(10, 18), LogNormal(2.2, 0.6)


def draw_metastases(
    rng: np.random.Generator, cloud: Cloud, *, preset: Preset
) -> tuple[Finding, ...]:
    """Draw the metastases of a positive study: 1 to 29, at least 4 if conspicuous."""
    conspicuous = preset == "conspicuous"
    count = min(1 + int(rng.gamma(METASTASES_SHAPE, METASTASES_SCALE)), METASTASES_MAX)
    count = max(count, CONSPICUOUS_MIN if conspicuous else 1)
    weights = np.array(list(METASTASIS_WEIGHTS.values()))
    parts = rng.choice(list(METASTASIS_WEIGHTS), count, p=weights / weights.sum())
    found = tuple(_draw_metastasis(rng, cloud, str(part)) for part in parts)
    gain = CONSPICUOUS_GAIN if conspicuous else 1.0
    return tuple(replace(finding, amplitude=finding.amplitude * gain) for finding in found)


def _draw_metastasis(rng: np.random.Generator, cloud: Cloud, part: str) -> Finding:
    in_rib = "_rib" in part
    large = not in_rib and rng.random() < LARGE_SHARE
    size = (LARGE_SIZE_MM if large else SMALL_SIZE_MM).draw(rng)
    amplitude = (LARGE_AMPLITUDE if large else SMALL_AMPLITUDE).draw(rng)
    centres = _draw_centres(rng, cloud.points_of(part), RIB_FOCI if in_rib else 1)
    return _finding(
        FindingKind.METASTASIS, part, size_mm=size, amplitude=amplitude, centres=centres
    )


def draw_benign(
    rng: np.random.Generator, cloud: Cloud, *, injection_share: float
) -> tuple[Finding, ...]:
    """Draw the benign findings of any study; there may be none."""
    return tuple(_draw_benign(rng, cloud, injection_share))


def _draw_benign(
    rng: np.random.Generator, cloud: Cloud, injection_share: float
) -> Iterator[Finding]:
    for _ in range(rng.poisson(DEGENERATIVE_MEAN)):
        yield _draw_joint(rng, cloud, DEGENERATIVE, foci=2)
    shares = ((FACET, FACET_SHARE), (DENTAL, DENTAL_SHARE), (INJECTION, injection_share))
    for rule, share in shares:
        if rng.random() < share:
            yield _draw_joint(rng, cloud, rule, foci=1)
    if rng.random() < COMPRESSION_SHARE:
        yield _draw_compression(rng, cloud)
    if rng.random() < RIB_FRACTURE_SHARE:
        yield from _draw_rib_fractures(rng, cloud)
    if rng.random() < URINE_SHARE:
        yield _draw_urine(rng)


def _draw_joint(rng: np.random.Generator, cloud: Cloud, rule: JointRule, *, foci: int) -> Finding:
    part = str(rng.choice(rule.parts))
    centres = _draw_centres(rng, cloud.points_of(part), foci)
    return _finding(
        rule.kind,
        part,
        size_mm=rule.size_mm.draw(rng),
        amplitude=rule.amplitude.draw(rng),
        centres=centres,
    )


def _draw_compression(rng: np.random.Generator, cloud: Cloud) -> Finding:
    part = str(rng.choice(COMPRESSION_PARTS))
    spread = np.array([(offset, 0, 0) for offset in COMPRESSION_SPREAD_MM], np.float32)
    centres = cloud.points_of(part).mean(axis=0) + spread
    amplitude = COMPRESSION_AMPLITUDE.draw(rng)
    return _finding(
        FindingKind.COMPRESSION,
        part,
        size_mm=COMPRESSION_SIZE_MM,
        amplitude=amplitude,
        centres=centres,
    )


def _draw_rib_fractures(rng: np.random.Generator, cloud: Cloud) -> Iterator[Finding]:
    """Break consecutive ribs at the same place: the row of spots that a fall leaves."""
    side = str(rng.choice(["left", "right"]))
    first = int(rng.integers(RIB_FRACTURE_FIRST[0], RIB_FRACTURE_FIRST[1] + 1))
    place = RIB_FRACTURE_PLACE.draw(rng)
    for number in range(first, first + int(rng.integers(1, RIB_FRACTURE_MOST + 1))):
        part = f"{side}_rib{number}"
        axis = cloud.axis_of(part)
        centre = axis[round(place * (len(axis) - 1))]
        amplitude = RIB_FRACTURE_AMPLITUDE.draw(rng)
        yield _finding(
            FindingKind.RIB_FRACTURE,
            part,
            size_mm=RIB_FRACTURE_SIZE_MM,
            amplitude=amplitude,
            centres=centre[None],
        )


def _draw_urine(rng: np.random.Generator) -> Finding:
    """Put a drop on the skin of the groin or thigh."""
    centre = np.array([[rng.normal(0, 45), 60.0, rng.uniform(630, 780)]], np.float32)
    size, amplitude = URINE_SIZE_MM.draw(rng), URINE_AMPLITUDE.draw(rng)
    return _finding(FindingKind.URINE, "skin", size_mm=size, amplitude=amplitude, centres=centre)


def _draw_centres(rng: np.random.Generator, points: Points, foci: int) -> Points:
    """Choose a point of the bone and, for more foci, further ones near it, (foci, 3)."""
    centre = points[rng.integers(len(points))]
    by_distance = np.argsort(((points - centre) ** 2).sum(axis=1))
    near = by_distance[np.minimum(rng.integers(30, 160, foci - 1), len(points) - 1)]
    return np.concatenate([centre[None], points[near]])


def _finding(
    kind: FindingKind, part: str, *, size_mm: float, amplitude: float, centres: Points
) -> Finding:
    """Spread an amplitude over foci so that more foci are each less hot (by the root)."""
    places = tuple((float(x), float(y), float(z)) for x, y, z in centres)
    return Finding(kind, part, size_mm, amplitude / math.sqrt(len(places)), places)
