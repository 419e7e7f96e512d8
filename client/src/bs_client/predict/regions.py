"""Where a Grad-CAM map is hot: masks and circles in native pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bs_client.data.preprocess import Image
from bs_client.dicom.presentation_state import Circle

Mask = NDArray[np.bool_]

# Half of the scan's hottest value: the usual width of a peak, and the same bound for both views.
HOT_SHARE = 0.5
MAX_CIRCLES = 20  # the largest; more would cover the scan


def hot_masks(anterior_map: Image, posterior_map: Image) -> tuple[Mask, Mask]:
    """Mark what reaches half of the highest value of both maps; nothing where both are 0."""
    highest = max(anterior_map.max(), posterior_map.max())
    if not highest > 0:
        return np.zeros(anterior_map.shape, bool), np.zeros(posterior_map.shape, bool)
    return anterior_map >= HOT_SHARE * highest, posterior_map >= HOT_SHARE * highest


def circles_around(mask: Mask) -> tuple[Circle, ...]:
    """Give a circle around each connected region of (rows, columns), the largest first.

    A circle holds its region's bounding box, unless it would leave the frame: presentation states
    have no points outside it, so the radius ends at the frame's edge, and is at least 1.
    """
    labelled, _ = ndimage.label(mask)
    boxes = ndimage.find_objects(labelled)
    largest = sorted(boxes, key=lambda box: -_radius(box))[:MAX_CIRCLES]
    return tuple(_circle(box, mask.shape[1]) for box in largest)


def _radius(box: tuple[slice, slice]) -> float:
    return float(np.hypot(box[0].stop - box[0].start, box[1].stop - box[1].start)) / 2


def _circle(box: tuple[slice, slice], columns: int) -> Circle:
    row = (box[0].start + box[0].stop) / 2
    column = (box[1].start + box[1].stop) / 2
    # The point on the line lies right of the centre; it is the one that must be in the frame.
    return Circle(row, column, max(1.0, min(_radius(box), columns - column)))
