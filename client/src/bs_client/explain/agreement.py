"""How well a map agrees with a mask, in the scan's own pixels, both views taken together.

Each measure also stands beside what maps reach that know nothing of the model: the counts
themselves (lesions are bright), the body without any preference, and the mask as coarse as a map
can draw it, which is the ceiling.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.stats import t as student

from bs_client.data.masks import Mask, Masks
from bs_client.data.preprocess import Geometry
from bs_client.data.resize import resize
from bs_client.evaluation.auc import percentile_interval
from bs_client.explain.body import body_mask
from bs_common.errors import DataError
from bs_common.randomness import generator

View = NDArray[np.float32]
Views = tuple[View, View]  # anterior, posterior
Values = NDArray[np.float64]

SOURCES = ("model", "intensity", "body", "ceiling")


@dataclass(frozen=True, slots=True)
class Agreement:
    """One map against one mask.

    pointing : share of the map's highest pixels inside the mask (pointing game, Zhang et al. 2018);
        0 or 1 unless several pixels share the highest value.
    pointing_tolerant : the same, a distance of one cell of the map allowed.
    energy : share of the map's sum inside the mask (energy-based pointing game, Wang et al. 2020).
    auprc : area under the precision-recall curve over all pixels.
    iou, dice : overlap of the mask and as many of the map's highest pixels.
    """

    pointing: float
    pointing_tolerant: float
    energy: float
    auprc: float
    iou: float
    dice: float


MEASURES = tuple(field.name for field in fields(Agreement))


@dataclass(frozen=True, slots=True)
class ScanAgreement:
    """What one scan gave.

    by_source : the model's map, and the three that it is held against.
    chance : share of all pixels inside the mask: energy and AUPRC of a map that knows nothing.
    lesions, lesions_hit : separate spots in both views, and those that the model's map reaches with
        half of its highest value.
    blank : whether the model's map is zero throughout.
    """

    by_source: dict[str, Agreement]
    chance: float
    lesions: int
    lesions_hit: int
    blank: bool


def agree(heat: Views, mask: Masks, *, cell_px: tuple[float, float]) -> Agreement:
    """Measure a map against a mask.

    A blank map points nowhere: all measures are 0, but for AUPRC, which is then the share of pixels
    inside the mask.

    Parameters
    ----------
    heat : (rows, columns) of each view, >= 0.
    mask : of the same shapes, with at least one pixel set in one view.
    cell_px : rows and columns of the scan that one cell of the map covers.

    Raises
    ------
    DataError if shapes differ or the mask is empty.
    """
    return _measure(heat, _aim_at(mask, cell_px))


@dataclass(frozen=True, slots=True, eq=False)
class _Target:
    """A mask with what is near it, both views in one line of pixels."""

    shapes: list[tuple[int, ...]]
    inside: Mask
    near: Mask


def _aim_at(mask: Masks, cell_px: tuple[float, float]) -> _Target:
    return _Target(
        [view.shape for view in mask],
        np.concatenate([view.ravel() for view in mask]),
        np.concatenate([_widened(view, cell_px).ravel() for view in mask]),
    )


def _measure(heat: Views, target: _Target) -> Agreement:
    values = np.concatenate([view.ravel() for view in heat])
    inside = target.inside
    if [view.shape for view in heat] != target.shapes or not inside.any():
        raise DataError(
            "a map cannot be held against an empty mask or one of another geometry",
            remedy="Draw the mask in the scan's own matrix, or leave it out.",
        )
    if values.max() <= 0:
        return Agreement(0.0, 0.0, 0.0, float(inside.mean()), 0.0, 0.0)
    highest = values == values.max()
    # Sorted once: there are a million pixels, and both figures below go down from the highest.
    order = np.argsort(-values)
    falling, hits = values[order], np.cumsum(inside[order], dtype=np.int64)
    overlap, area = _matched_area(falling, hits)
    wanted = int(hits[-1])
    return Agreement(
        pointing=float(inside[highest].mean()),
        pointing_tolerant=float(target.near[highest].mean()),
        energy=float(values[inside].sum(dtype=np.float64) / values.sum(dtype=np.float64)),
        auprc=_average_precision(falling, hits),
        iou=overlap / (wanted + area - overlap),
        dice=2 * overlap / (wanted + area),
    )


def _widened(mask: Mask, cell_px: tuple[float, float]) -> Mask:
    """Add the pixels within one cell of the map."""
    if not mask.any():
        return mask
    cells = ndimage.distance_transform_edt(~mask, sampling=[1 / size for size in cell_px])
    return np.asarray(cells <= 1, bool)


def _matched_area(falling: View, hits: NDArray[np.int64]) -> tuple[float, float]:
    """Give the overlap of the mask with as many of the highest pixels, and how many those are.

    Pixels that share the last value taken count in part, all alike; pixels of value 0 never.

    Parameters
    ----------
    falling : (pixels,) values from the highest down.
    hits : how many of the pixels so far lie inside the mask.
    """
    wanted = int(hits[-1])
    last = falling[wanted - 1]
    if last <= 0:
        taken = int(np.count_nonzero(falling > 0))
        return float(hits[taken - 1]), float(taken)
    above = int(np.searchsorted(-falling, -last, side="left"))
    through = int(np.searchsorted(-falling, -last, side="right"))
    before = float(hits[above - 1]) if above else 0.0
    part = (wanted - above) / (through - above)
    return before + part * (float(hits[through - 1]) - before), float(wanted)


def _average_precision(falling: View, hits: NDArray[np.int64]) -> float:
    """Give sum_n (R_n - R_n-1) P_n over distinct values, R recall, P precision down to the nth."""
    ends = np.append(np.flatnonzero(np.diff(falling)), falling.size - 1)
    found = hits[ends]
    precision = found / (ends + 1)
    return float((np.diff(found, prepend=0) * precision).sum() / hits[-1])


def hold_against_mask(
    heat: NDArray[np.float32], counts: Views, mask: Masks, geometry: Geometry
) -> ScanAgreement:
    """Hold a map of the network, and the three maps that know nothing of it, against a mask.

    Parameters
    ----------
    heat : (h, w) over both views side by side, >= 0.
    counts : (rows, columns) of each view, counts per pixel.
    mask : metastases in the same shapes, at least one pixel.
    """
    rows, columns = heat.shape
    cell_px = (
        geometry.anterior_shape[0] / rows,
        geometry.anterior_shape[1] / (columns / 2),
    )
    coarse = [resize(view.astype(np.float32), rows, columns // 2) for view in mask]
    bodies = [body_mask(view).astype(np.float32) for view in counts]
    maps: dict[str, Views] = {
        "model": geometry.to_native(heat),
        "intensity": counts,
        "body": (bodies[0], bodies[1]),
        "ceiling": geometry.to_native(np.concatenate(coarse, axis=1)),
    }
    target = _aim_at(mask, cell_px)
    spots, hit = _lesions(maps["model"], mask)
    return ScanAgreement(
        by_source={name: _measure(views, target) for name, views in maps.items()},
        chance=float(np.concatenate([view.ravel() for view in mask]).mean()),
        lesions=spots,
        lesions_hit=hit,
        blank=bool(heat.max() <= 0),
    )


def _lesions(heat: Views, mask: Masks) -> tuple[int, int]:
    """Count the spots of both views, and those where the map reaches half of its highest value."""
    half = max(float(view.max()) for view in heat) / 2
    spots = hit = 0
    for values, drawn in zip(heat, mask, strict=True):
        numbered, count = count_spots(drawn)
        spots += count
        if half > 0 and count:
            peaks = ndimage.maximum(values, numbered, range(1, count + 1))
            hit += int(np.count_nonzero(np.asarray(peaks) >= half))
    return spots, hit


def count_spots(mask: Mask) -> tuple[NDArray[np.int64], int]:
    """Give each separate spot of a mask its number; diagonal neighbours are one."""
    numbered, count = ndimage.label(mask, structure=np.ones((3, 3)))
    return numbered, int(count)


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean over scans with its 95 % interval; scans are drawn with replacement."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class AgreementSummary:
    """All scans with masks.

    by_source : source -> measure -> mean over scans.
    beyond_intensity : measure -> mean of model minus counts: above 0 where the map adds something.
    chance : mean share of pixels inside the mask.
    lesion_hits : share of all spots that the model's map reaches; scans, not spots, are drawn.
    """

    scans: int
    blank: int
    by_source: dict[str, dict[str, Mean]]
    beyond_intensity: dict[str, Mean]
    chance: Mean
    lesions: int
    lesion_hits: Mean


def summarise_agreement(
    scans: Sequence[ScanAgreement], *, seed: int, resamples: int = 2000
) -> AgreementSummary | None:
    """Average over scans, with a bootstrap of whole scans; None without any.

    Parameters
    ----------
    seed : the study seed; the same scans in the same order give the same intervals.
    """
    if not scans:
        return None
    drawn = draw_scans(len(scans), seed=seed, resamples=resamples)
    values = {
        source: {
            name: np.array([getattr(scan.by_source[source], name) for scan in scans])
            for name in MEASURES
        }
        for source in SOURCES
    }
    ones = np.ones(len(scans))
    return AgreementSummary(
        scans=len(scans),
        blank=sum(scan.blank for scan in scans),
        by_source={
            source: {name: bootstrap_ratio(array, ones, drawn) for name, array in measures.items()}
            for source, measures in values.items()
        },
        beyond_intensity={
            name: bootstrap_ratio(values["model"][name] - values["intensity"][name], ones, drawn)
            for name in MEASURES
        },
        chance=bootstrap_ratio(np.array([scan.chance for scan in scans]), ones, drawn),
        lesions=sum(scan.lesions for scan in scans),
        lesion_hits=bootstrap_ratio(
            np.array([scan.lesions_hit for scan in scans], float),
            np.array([scan.lesions for scan in scans], float),
            drawn,
        ),
    )


def draw_scans(scans: int, *, seed: int, resamples: int) -> NDArray[np.int64]:
    """Draw places of scans with replacement, (resamples, scans)."""
    draws = generator(seed, "bootstrap", "agreement")
    return draws.integers(0, scans, (resamples, scans))


def bootstrap_ratio(parts: Values, wholes: Values, drawn: NDArray[np.int64]) -> Mean:
    """Give sum(parts) / sum(wholes) over scans, with an expanded percentile interval.

    Of few scans the percentile interval is too narrow: it takes the normal law for Student's and
    n for n - 1. It is read at the level that makes up for both (Hesterberg 2015, Am. Stat. 69:371):
    tails of Phi(-sqrt(n / (n - 1)) t), t the upper 2.5 % point of Student's law with n - 1 degrees.

    Parameters
    ----------
    parts, wholes : (scans,); a mean over scans has wholes of 1.
    drawn : from `draw_scans`. One scan alone has an interval without width.
    """
    value = float(parts.sum() / wholes.sum())
    count = parts.size
    if count < 2:
        return Mean(value, value, value)
    tail = NormalDist().cdf(-math.sqrt(count / (count - 1)) * float(student.ppf(0.975, count - 1)))
    ratios = parts[drawn].sum(axis=1) / wholes[drawn].sum(axis=1)
    return Mean(value, *percentile_interval(ratios, 1 - 2 * tail))
