"""Codes of CID 26 in the detectors of each frame, whatever the vendor wrote there before."""

from __future__ import annotations

import pytest
from pydicom import Dataset

from bs_client.deidentify.view_codes import write_view_codes
from bs_client.dicom.view_words import View

BOTH = {1: View.POSTERIOR, 2: View.ANTERIOR}
ANTERIOR, POSTERIOR = "399321004", "399001007"


def nuclear(vector: list[int], *zooms: int, frames: int = 2) -> Dataset:
    """Make frames of the detectors of a vector; each detector is known by its zoom factor."""
    dataset = Dataset()
    dataset.NumberOfFrames = frames
    if vector:
        dataset.DetectorVector = vector
    dataset.DetectorInformationSequence = [Dataset() for _ in zooms]
    for item, zoom in zip(dataset.DetectorInformationSequence, zooms, strict=True):
        item.ZoomFactor = [zoom, zoom]
    return dataset


def coded(dataset: Dataset) -> list[str]:
    """Give the view code of each detector, empty where it has none."""
    described = dataset.DetectorInformationSequence
    codes = [item.get("ViewCodeSequence", []) for item in described]
    return [code[0].CodeValue if code else "" for code in codes]


def test_codes_follow_the_detector_vector_and_not_the_frames() -> None:
    dataset = nuclear([2, 1], 10, 20)

    write_view_codes(dataset, BOTH)

    assert coded(dataset) == [ANTERIOR, POSTERIOR]
    item = dataset.DetectorInformationSequence[1].ViewCodeSequence[0]
    assert (item.CodingSchemeDesignator, item.CodeMeaning) == ("SCT", "Posterior projection")


def test_a_single_frame_of_detector_two_gets_a_second_item() -> None:
    dataset = nuclear([2], 10, frames=1)

    write_view_codes(dataset, {1: View.POSTERIOR})

    assert coded(dataset) == ["", POSTERIOR]


def test_one_detector_in_two_passes_becomes_two() -> None:
    dataset = nuclear([1, 1], 10)

    write_view_codes(dataset, BOTH)

    assert coded(dataset) == [POSTERIOR, ANTERIOR]
    assert [item.ZoomFactor[0] for item in dataset.DetectorInformationSequence] == [10, 10]
    assert (list(dataset.DetectorVector), dataset.NumberOfDetectors) == ([1, 2], 2)


@pytest.mark.parametrize("zooms", [(), (10,), (10, 20), (10, 20, 30)])
def test_without_a_vector_each_frame_is_given_its_detector(zooms: tuple[int, ...]) -> None:
    dataset = nuclear([], *zooms)

    write_view_codes(dataset, BOTH)

    assert coded(dataset) == [POSTERIOR, ANTERIOR]
    assert list(dataset.DetectorVector) == [1, 2]


def test_of_two_energy_windows_only_the_kept_frames_decide() -> None:
    dataset = nuclear([1, 2, 1, 2], 10, 20, frames=4)

    write_view_codes(dataset, {3: View.ANTERIOR, 4: View.POSTERIOR})

    assert coded(dataset) == [ANTERIOR, POSTERIOR]
    assert list(dataset.DetectorVector) == [1, 2, 1, 2]


def test_local_words_beside_the_detectors_are_removed() -> None:
    dataset = nuclear([1, 2], 10, 20)
    dataset.ViewCodeSequence = [Dataset()]

    write_view_codes(dataset, BOTH)

    assert "ViewCodeSequence" not in dataset
