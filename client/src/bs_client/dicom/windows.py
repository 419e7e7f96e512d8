"""Keep the frames of the Tc-99m photopeak (ingest rule 11)."""

from __future__ import annotations

from pydicom import Dataset

from bs_client.dicom.codes import Refusal, refused
from bs_client.dicom.fields import integer, items, numbers
from bs_client.dicom.header import Header, frame_vector

PHOTOPEAK_KEV = 140.5  # Tc-99m


def photopeak_frames(header: Header) -> tuple[int, ...]:
    """Give the numbers, from 0, of the frames to keep, in stored order.

    All frames where the object has one energy window; otherwise those of the one window whose
    limits hold 140.5 keV. The n-th item of (0054,0012) describes window n, the n-th value of
    (0054,0010) is the window of frame n (PS3.3 C.8.4.8.1, C.8.4.10).

    Raises ScanRefused with E_ENERGY_WINDOW_AMBIGUOUS if none or several windows qualify, or if
    the window of each frame is not stated.
    """
    described = items(header.dataset, "EnergyWindowInformationSequence")
    vector = frame_vector(header, "EnergyWindowVector")
    stated = integer(header.dataset, "NumberOfEnergyWindows") or len(described)
    if max(stated, len(set(vector or ()))) <= 1:
        return tuple(range(header.frames))
    peaks = {number for number, item in enumerate(described, start=1) if _holds_photopeak(item)}
    kept = tuple(
        frame for frame, window in enumerate(vector or ()) if len(peaks) == 1 and window in peaks
    )
    if not kept:
        received = f"{stated} windows, {len(peaks)} of them stated to hold {PHOTOPEAK_KEV} keV"
        raise refused(Refusal.E_ENERGY_WINDOW_AMBIGUOUS, received)
    return kept


def _holds_photopeak(window: Dataset) -> bool:
    for limits in items(window, "EnergyWindowRangeSequence"):
        lower = numbers(limits, "EnergyWindowLowerLimit")
        upper = numbers(limits, "EnergyWindowUpperLimit")
        if lower and upper and lower[0] <= PHOTOPEAK_KEV <= upper[0]:
            return True
    return False
