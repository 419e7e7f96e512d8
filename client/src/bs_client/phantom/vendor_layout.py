"""How three vendors spread the two views over objects and say which is which.

Taken from what real whole-body files show: Siemens e.cam and Symbia, GE Genie and Infinia, and
two-frame objects with the codes of CID 26, here in a Philips-like order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pydicom.dataset import Dataset
from pydicom.tag import Tag

from bs_client.phantom.site_style import Vendor
from bs_client.phantom.window import View

ENERGY_WINDOW_VECTOR = Tag(0x0054, 0x0010)
DETECTOR_VECTOR = Tag(0x0054, 0x0020)


@dataclass(frozen=True, slots=True)
class Code:
    """A coded concept (PS3.3 8.8)."""

    value: str
    scheme: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame and what its detector says of the view.

    view_code : None where the vendor writes no View Code Sequence.
    start_angle : degrees, 0 = patient's back (PS3.3 C.8.4.11), or None where not written.
    """

    view: View
    view_code: Code | None = None
    start_angle: float | None = None


@dataclass(frozen=True, slots=True)
class ObjectLayout:
    """One object of a study.

    suffix : of its file name. frames : in stored order.
    image_id : (0054,0400), or None; GE repeats it in its private block.
    """

    suffix: str
    frames: tuple[Frame, ...]
    series_description: str
    signed: bool = False
    image_id: str | None = None


SIEMENS = (
    ObjectLayout(
        suffix="",
        frames=(
            # Private scheme with localised text, as seen in Symbia files.
            Frame("anterior", Code("FACE ANT", "99NMG", "FACE ANT"), start_angle=180),
            Frame("posterior", Code("FACE POST", "99NMG", "FACE POST"), start_angle=0),
        ),
        series_description="WHOLEBODY",
    ),
)

# One object per detector; the view is known only by the names ending _E and _F.
GE = (
    ObjectLayout(
        suffix="_e",
        frames=(Frame("anterior"),),
        series_description="WHOLE BODY",
        signed=True,
        image_id="WHOLE BODY_E",
    ),
    ObjectLayout(
        suffix="_f",
        frames=(Frame("posterior"),),
        series_description="WHOLE BODY",
        signed=True,
        image_id="WHOLE BODY_F",
    ),
)

PHILIPS = (
    ObjectLayout(
        suffix="",
        frames=(  # posterior first; CID 26 with its historic designator
            Frame("posterior", Code("G-5216", "99SDM", "posterior projection")),
            Frame("anterior", Code("G-5215", "99SDM", "anterior projection")),
        ),
        series_description="Bone Whole Body",
    ),
)

_LAYOUTS: Mapping[Vendor, tuple[ObjectLayout, ...]] = MappingProxyType(
    {"siemens": SIEMENS, "ge": GE, "philips": PHILIPS}
)


def layouts(vendor: Vendor) -> tuple[ObjectLayout, ...]:
    """Give the objects that a vendor's camera writes for one study."""
    return _LAYOUTS[vendor]


def describe_detectors(dataset: Dataset, layout: ObjectLayout) -> None:
    """Fill the NM Multi-frame and Detector modules of one object (PS3.3 C.8.4.8, C.8.4.11)."""
    count = len(layout.frames)
    dataset.FrameIncrementPointer = [ENERGY_WINDOW_VECTOR, DETECTOR_VECTOR]
    dataset.EnergyWindowVector = [1] * count
    dataset.NumberOfEnergyWindows = 1
    dataset.DetectorVector = list(range(1, count + 1))
    dataset.NumberOfDetectors = count
    dataset.DetectorInformationSequence = [_detector(frame) for frame in layout.frames]
    if layout.image_id is not None:
        dataset.ImageID = layout.image_id
        _add_genie_block(dataset, layout.image_id)


def _detector(frame: Frame) -> Dataset:
    item = Dataset()
    item.CollimatorType = "PARA"
    item.FocalDistance = 0  # parallel holes
    item.ImageOrientationPatient = []  # type 2
    item.ImagePositionPatient = []
    if frame.start_angle is not None:
        item.StartAngle = frame.start_angle
    if frame.view_code is not None:
        code = Dataset()
        code.CodeValue = frame.view_code.value
        code.CodingSchemeDesignator = frame.view_code.scheme
        code.CodeMeaning = frame.view_code.meaning
        item.ViewCodeSequence = [code]
    return item


def _add_genie_block(dataset: Dataset, name: str) -> None:
    block = dataset.private_block(0x0011, "GEMS_GENIE_1", create=True)
    block.add_new(0x10, "LO", name)  # Dataset Object Name
    block.add_new(0x12, "LO", name)  # Dataset Name
    block.add_new(0x30, "LO", name)  # Picture Object Name
