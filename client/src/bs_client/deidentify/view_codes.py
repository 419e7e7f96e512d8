"""Write in the standard's codes which view each frame is.

Vendors state views in private elements and free texts, and de-identification removes both.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy

from pydicom import Dataset, Sequence

from bs_client.dicom.fields import integer, integers, items
from bs_client.dicom.view_words import View

MAX_DETECTORS = 64  # a larger number in a header is a fault, not a camera

# CID 26 Nuclear Medicine Projections (PS3.16).
CODES = {
    View.ANTERIOR: ("399321004", "Anterior projection"),
    View.POSTERIOR: ("399001007", "Posterior projection"),
}


def write_view_codes(dataset: Dataset, views: Mapping[int, View]) -> None:
    """Write the View Code Sequence (0054,0220) of the frames' detectors (PS3.3 C.8.4.11).

    views : by frame number, from 1.

    Where the Detector Vector is absent or gives two of the frames one detector, every frame gets
    a detector of its own: one detector in two passes counts as two (PS3.3 C.8.4.8.1.3).
    """
    frames = integer(dataset, "NumberOfFrames") or 1
    numbers = integers(dataset, "DetectorVector")
    described = list(items(dataset, "DetectorInformationSequence"))
    if not _tells_apart(numbers, views):
        described = _one_each(described, numbers, frames)
        numbers = tuple(range(1, frames + 1))
        dataset.DetectorVector = list(numbers)
        dataset.NumberOfDetectors = frames
    described += [Dataset() for _ in range(max(numbers) - len(described))]
    for frame, view in views.items():
        described[numbers[frame - 1] - 1].ViewCodeSequence = Sequence([_code(view)])
    dataset.DetectorInformationSequence = Sequence(described)
    # Some exports write the codes beside the detectors instead, with local words.
    dataset.pop("ViewCodeSequence", None)


def _tells_apart(numbers: tuple[int, ...], views: Mapping[int, View]) -> bool:
    if not numbers or min(numbers) < 1 or max(numbers) > MAX_DETECTORS:
        return False
    return len({numbers[frame - 1] for frame in views}) == len(views)


def _one_each(described: list[Dataset], numbers: tuple[int, ...], frames: int) -> list[Dataset]:
    """Give each frame a copy of what is said of its detector, empty where nothing is."""
    if not numbers and len(described) == frames:
        return described
    return [
        deepcopy(described[number - 1]) if 1 <= number <= len(described) else Dataset()
        for number in (numbers or (0,) * frames)
    ]


def _code(view: View) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodeMeaning = CODES[view]
    item.CodingSchemeDesignator = "SCT"
    return item
