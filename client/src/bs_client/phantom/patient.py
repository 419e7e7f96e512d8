"""One patient: size, uptake of each bone, and how he or she lies on the table.

`draw_*` makes the random choices; `posed` and `uptake` apply them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from bs_client.phantom.cloud import Activity, Cloud, Points
from bs_client.phantom.laws import LogNormal, Normal, Uniform

Sex = Literal["F", "M"]

# Ages and primaries as usual where bone scans are asked for; they do not depend on the label.
AGE_YEARS = Normal(67, 11, low=35, high=92)
SHARE_MALE = 0.55
PRIMARIES: dict[Sex, tuple[str, ...]] = {
    "M": ("prostate", "prostate", "prostate", "lung", "kidney"),
    "F": ("breast", "breast", "breast", "lung", "kidney"),
}

# Factors on the 1745 mm template.
HEIGHT = Normal(0.965, 0.042, low=0.86, high=1.06)  # 1500-1850 mm, mean 1684
WIDTH = Normal(1.0, 0.05)
GIRTH = Normal(1.02, 0.11, low=0.82, high=1.30)  # thickness of soft tissue

BONE_GAIN = LogNormal(1.0, 0.10)
JOINT_GAIN = LogNormal(1.0, 0.22)  # on top, where wear differs most
JOINTS = ("knee", "patella", "ankle", "acromioclavicular", "sternoclavicular", "hand", "foot")
SKULL_GAIN = Uniform(0.7, 1.3)
KIDNEY_FILLING = Uniform(0.25, 1.5)
BLADDER_FILLING = Uniform(0.15, 2.4)  # voided or not before the scan

# A superscan: diffuse marrow disease draws the tracer into the trunk, away from limbs and urine.
SUPERSCAN_TRUNK_GAIN = 1.5
SUPERSCAN_LIMB_GAIN = 0.6
SUPERSCAN_URINE_GAIN = 0.3
TRUNK_BOTTOM_MM = 840.0  # below the hip joints


@dataclass(frozen=True, slots=True)
class Patient:
    """What stays the same in each study of one person.

    height, width, girth : factors on the template.
    gain : uptake of each part relative to the template, by part name.
    """

    sex: Sex
    age_years: int
    primary: str
    height: float
    width: float
    girth: float
    gain: dict[str, float]


@dataclass(frozen=True, slots=True)
class Pose:
    """How the patient lies, and how full the urinary tract is, in one study.

    arm_spread, leg_spread, tilt, head_tilt : sideways shift per mm of height.
    rotation : forward shift per mm to the left.
    scoliosis_mm, scoliosis_waves : amplitude and half waves of the curve of the spine.
    shift_mm : of the whole body to the left.
    filling : uptake of kidneys and bladder relative to the template.
    """

    arm_spread: float
    leg_spread: float
    tilt: float
    head_tilt: float
    rotation: float
    scoliosis_mm: float
    scoliosis_waves: float
    shift_mm: float
    filling: dict[str, float]


def draw_patient(rng: np.random.Generator, cloud: Cloud) -> Patient:
    """Draw a person whose body has the parts of `cloud`."""
    sex: Sex = "M" if rng.random() < SHARE_MALE else "F"
    return Patient(
        sex=sex,
        age_years=round(AGE_YEARS.draw(rng)),
        primary=str(rng.choice(PRIMARIES[sex])),
        height=HEIGHT.draw(rng),
        width=WIDTH.draw(rng),
        girth=GIRTH.draw(rng),
        gain={name: _draw_gain(rng, name) for name in cloud.names},
    )


def _draw_gain(rng: np.random.Generator, name: str) -> float:
    gain = BONE_GAIN.draw(rng)
    if name.endswith(JOINTS):
        gain *= JOINT_GAIN.draw(rng)
    if name == "skull":
        gain *= SKULL_GAIN.draw(rng)
    return gain


def draw_pose(rng: np.random.Generator) -> Pose:
    """Draw how a patient lies in one study."""
    return Pose(
        arm_spread=rng.normal(-0.028, 0.02),
        leg_spread=rng.normal(-0.012, 0.02),
        tilt=rng.normal(0, 0.012),
        head_tilt=rng.normal(0, 0.07),
        rotation=rng.normal(0, 0.06),
        scoliosis_mm=rng.normal(0, 6),
        scoliosis_waves=rng.uniform(0.8, 1.6),
        shift_mm=rng.normal(0, 7),
        filling={
            "left_kidney": KIDNEY_FILLING.draw(rng),
            "right_kidney": KIDNEY_FILLING.draw(rng),
            "bladder": BLADDER_FILLING.draw(rng),
        },
    )


def uptake(cloud: Cloud, patient: Patient, pose: Pose, *, superscan: bool) -> Activity:
    """Give the activity of each point of `cloud` in this patient, (points,) float32."""
    gains = patient.gain | pose.filling
    gain = np.array([gains[name] for name in cloud.names], np.float32)
    if superscan:
        gain[[cloud.names.index(name) for name in pose.filling]] *= SUPERSCAN_URINE_GAIN
    activity = cloud.activity * gain[cloud.part]
    if superscan:
        trunk = cloud.positions_mm[:, 2] > TRUNK_BOTTOM_MM
        activity *= np.where(trunk, SUPERSCAN_TRUNK_GAIN, SUPERSCAN_LIMB_GAIN).astype(np.float32)
    return activity


def posed(points: Points, patient: Patient, pose: Pose) -> Points:
    """Move points of the template to where they are in this patient, (points, 3) float32, mm."""
    x, y, z = points.T.copy()
    side = np.sign(x)
    arm = (np.abs(x) > 160) & (z < 1440) & (z > 690)
    x += arm * side * (1420 - z) * pose.arm_spread
    x += (z < 880) * side * (880 - z) * pose.leg_spread
    curve = np.sin((z - 850) / 600 * np.pi * pose.scoliosis_waves) * (z > 850)
    x = x * patient.width + pose.scoliosis_mm * curve + pose.tilt * (z - 875) + pose.shift_mm
    x += pose.head_tilt * np.clip(z - 1540, 0, None)  # about the atlas
    y += pose.rotation * x
    return np.stack([x, y, z * patient.height], axis=1).astype(np.float32)
