"""Rule 11: the Tc-99m photopeak among several energy windows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset, Sequence

from bs_client.dicom import StudyReading

Make = Callable[..., Dataset]


def window(lower: float, upper: float) -> Dataset:
    limits, item = Dataset(), Dataset()
    limits.EnergyWindowLowerLimit, limits.EnergyWindowUpperLimit = lower, upper
    item.EnergyWindowRangeSequence = Sequence([limits])
    return item


@pytest.fixture
def dual_window(make_object: Make, body: NDArray[np.uint16]) -> Dataset:
    """Scatter window frames first, then the photopeak's; detectors run fastest."""
    scan = make_object("anterior", "posterior")
    scatter = np.full((2, *body.shape), 3, "<u2")
    scan.PixelData = scatter.tobytes() + scan.PixelData
    scan.NumberOfFrames, scan.NumberOfEnergyWindows = 4, 2
    scan.EnergyWindowVector, scan.DetectorVector = [1, 1, 2, 2], [1, 2, 1, 2]
    scan.EnergyWindowInformationSequence = Sequence([window(110, 125), window(126.5, 154.6)])
    return scan


def test_the_window_around_140_kev_is_kept(
    dual_window: Dataset, read: Callable[..., StudyReading], body: NDArray[np.uint16]
) -> None:
    scan = read(dual_window).scan

    assert scan is not None
    np.testing.assert_array_equal(scan.anterior.counts, body)
    assert (scan.anterior.frame, scan.posterior.frame) == (3, 4)


@pytest.mark.parametrize(
    "windows", [[(110, 125), (90, 110)], [(126, 155), (130, 151)], []], ids=["no", "two", "unknown"]
)
def test_no_or_several_photopeaks_are_ambiguous(
    dual_window: Dataset, code_of: Callable[..., str], windows: list[tuple[float, float]]
) -> None:
    dual_window.EnergyWindowInformationSequence = Sequence([window(*one) for one in windows])

    assert code_of(dual_window) == "E_ENERGY_WINDOW_AMBIGUOUS"


def test_a_vector_of_another_length_than_the_frames_is_refused(
    dual_window: Dataset, code_of: Callable[..., str]
) -> None:
    dual_window.EnergyWindowVector = [1, 1, 2]

    assert code_of(dual_window) == "E_FRAME_COUNT"
