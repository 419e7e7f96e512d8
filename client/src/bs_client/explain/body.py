"""Where the body is in a count image, and how much of a map lies where no metastasis can be."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bs_client.data.masks import Mask, Masks, Region

Counts = NDArray[np.float32]

# Blurred over 1 % of the height, so that single counts in the air do not make a body.
BLUR_SHARE = 0.01
# Soft tissue has some tenth of the mean counts of what is lit at all; air has a hundredth.
BODY_LEVEL = 0.1


def body_mask(counts: Counts) -> Mask:
    """Outline the body: blurred counts above a tenth of their mean where above zero, holes filled.

    Parameters
    ----------
    counts : (rows, columns), >= 0. An empty image has no body.
    """
    blurred = ndimage.gaussian_filter(counts.astype(np.float64), BLUR_SHARE * counts.shape[0])
    lit = blurred[counts > 0]
    if lit.size == 0:
        return np.zeros(counts.shape, bool)
    return np.asarray(ndimage.binary_fill_holes(blurred > BODY_LEVEL * lit.mean()), bool)


def artefact_shares(
    heat: tuple[Counts, Counts],
    counts: tuple[Counts, Counts],
    regions: Mapping[Region, Masks],
) -> dict[str, float]:
    """Give the share of a map's sum where no metastasis can be.

    Parameters
    ----------
    heat : map in the geometry of each view, >= 0.
    counts : of each view.
    regions : as drawn; bladder and injection site are looked at.

    Returns
    -------
    ``outside_body``, and ``bladder`` and ``injection`` where they are drawn; empty for a blank map.
    """
    whole = sum(float(view.sum()) for view in heat)
    if whole <= 0:
        return {}
    outside = (~body_mask(counts[0]), ~body_mask(counts[1]))
    places = {"outside_body": outside}
    for name, region in (("bladder", Region.BLADDER), ("injection", Region.INJECTION)):
        if region in regions:
            places[name] = regions[region]
    return {
        name: sum(float(h[m].sum()) for h, m in zip(heat, masks, strict=True)) / whole
        for name, masks in places.items()
    }
