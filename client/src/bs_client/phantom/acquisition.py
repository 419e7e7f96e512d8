"""From activity to counts: soft tissue, scatter, scan time and Poisson noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bs_client.phantom.camera import ATTENUATION_PER_MM
from bs_client.phantom.laws import Uniform
from bs_client.phantom.site_style import SiteStyle
from bs_client.phantom.window import Image, View

CountImage = NDArray[np.uint16]  # (rows, columns)

HEADROOM = Uniform(0.25, 0.60)
# Spine and sacrum lie nearer to the lower head, which makes up for the table.
POSTERIOR_GAIN = Uniform(1.00, 1.12)
BACKGROUND = Uniform(0.01, 0.05)  # counts per pixel in air: room and septal penetration

# Scatter from bone within the energy window: a wide tail with this share and spread.
SCATTER_SHARE = 0.04
SCATTER_SIGMA_MM = 110.0
SCATTER_GRID = 4  # computed on pixels four times as wide

# A superscan leaves less tracer to soft tissue and more to the field of view.
SUPERSCAN_SOFT_TISSUE = 0.7
SUPERSCAN_COUNTS = 1.25

SPARSE_MEAN = 0.12  # below it one count or none is drawn: same mean, variance lower by < 12 %
MOST_COUNTS = 32767  # what a signed 16-bit object can hold; real maxima are below 3000


@dataclass(frozen=True, slots=True)
class Exposure:
    """How one study was acquired.

    headroom : share (0-1) of the spare rows above the head.
    soft_tissue_share : part (0-1) of the counts from soft tissue.
    counts : by view, of a body without lesions.
    background : by view, counts per pixel in air.
    """

    headroom: float
    soft_tissue_share: float
    counts: dict[View, float]
    background: dict[View, float]


def draw_exposure(rng: np.random.Generator, style: SiteStyle, *, superscan: bool) -> Exposure:
    """Draw the acquisition of one study within the habits of a site."""
    soft_tissue_share = style.soft_tissue_share.draw(rng)
    counts = style.counts.draw(rng)
    if superscan:
        soft_tissue_share *= SUPERSCAN_SOFT_TISSUE
        counts *= SUPERSCAN_COUNTS
    posterior = counts * style.table_transmission * POSTERIOR_GAIN.draw(rng)
    return Exposure(
        headroom=HEADROOM.draw(rng),
        soft_tissue_share=soft_tissue_share,
        counts={"anterior": counts, "posterior": posterior},
        background={"anterior": BACKGROUND.draw(rng), "posterior": BACKGROUND.draw(rng)},
    )


def expected_counts(
    bone: Image,
    active: Image,
    thickness_mm: Image,
    *,
    spacing_mm: float,
    exposure: Exposure,
    view: View,
) -> Image:
    """Give the mean counts of each pixel, (rows, columns) of the body's window.

    Bone and soft tissue together are scaled to the view's counts; foci come on top, as they would
    at a fixed scan speed.

    Parameters
    ----------
    bone : projected activity without foci; `active` : with them.
    thickness_mm : of the body, mirrored for the posterior view.
    """
    share = exposure.soft_tissue_share
    # A uniform slab that attenuates itself: integral of exp(-mu t) over its thickness.
    soft = (1 - np.exp(-ATTENUATION_PER_MM * thickness_mm)) / ATTENUATION_PER_MM
    soft *= bone.sum() / soft.sum() * share / (1 - share)
    scatter = _scatter(active, spacing_mm=spacing_mm)
    emitted = active + (1 - SCATTER_SHARE) * soft + SCATTER_SHARE * scatter
    scale = exposure.counts[view] * (1 - share) / bone.sum()
    mean: Image = (emitted * scale + exposure.background[view]).astype(np.float32)
    return mean


def _scatter(active: Image, *, spacing_mm: float) -> Image:
    rows, columns = active.shape
    blocks = active.reshape(rows // SCATTER_GRID, SCATTER_GRID, columns // SCATTER_GRID, -1)
    sigma = SCATTER_SIGMA_MM / (SCATTER_GRID * spacing_mm)
    wide: Image = ndimage.gaussian_filter(blocks.mean(axis=(1, 3)), sigma)
    return wide.repeat(SCATTER_GRID, axis=0).repeat(SCATTER_GRID, axis=1)


def draw_counts(rng: np.random.Generator, mean: Image) -> CountImage:
    """Draw Poisson counts, (rows, columns) uint16, for mean counts >= 0.

    Most pixels are air, with a mean far below one; for them a single yes-or-no draw is made, which
    halves the time of this step.
    """
    counts = (rng.random(mean.shape, np.float32) < mean).astype(np.uint16)
    busy = mean > SPARSE_MEAN
    counts[busy] = np.minimum(rng.poisson(mean[busy]), MOST_COUNTS)
    return counts
