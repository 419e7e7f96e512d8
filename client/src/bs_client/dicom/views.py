"""Tell which view each frame is from every statement of the header (ingest rules 12-15)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from pydicom import Dataset

from bs_client.dicom.codes import Finding, IngestWarning, Refusal, refused
from bs_client.dicom.fields import items, numbers, private_texts, text, texts
from bs_client.dicom.header import GE_CREATOR, Header, frame_vector
from bs_client.dicom.settings import IngestSettings
from bs_client.dicom.view_words import View, view_of_code, view_of_free_text

# CID 26 Nuclear Medicine Projections (PS3.16) and the plain qualifiers that exports write instead.
VIEW_CODES = {
    "399321004": View.ANTERIOR,
    "G-5215": View.ANTERIOR,
    "255549009": View.ANTERIOR,
    "R-404CC": View.ANTERIOR,
    "399001007": View.POSTERIOR,
    "G-5216": View.POSTERIOR,
    "255551008": View.POSTERIOR,
    "R-404CE": View.POSTERIOR,
}
VIEW_SCHEMES = frozenset(("SCT", "SRT", "SNM3", "99SDM"))
# GE private names in group 0011: data set object name, data set name, picture object name.
GE_NAME_ELEMENTS = (0x10, 0x12, 0x30)
GE_DETECTOR_SUFFIX = re.compile(r"_([EF])$")
# 0 degrees is the patient's back, counted counter-clockwise seen from the feet (PS3.3 C.8.4.11).
ANTERIOR_DEGREES = 180
ANGLE_TOLERANCE_DEGREES = 45


class ViewSource(StrEnum):
    """The evidence that decided a view, in order of rank."""

    VIEW_CODE = "view_code"
    VIEW_TEXT = "view_text"
    GE_NAME = "ge_name"
    VIEW_POSITION = "view_position"
    IMAGE_ID = "image_id"
    SERIES_DESCRIPTION = "series_description"
    IMAGE_COMMENTS = "image_comments"
    PROTOCOL_NAME = "protocol_name"
    START_ANGLE = "start_angle"
    COMPLEMENT = "complement"
    ORDER = "order"


FREE_TEXTS = (
    ("ImageID", ViewSource.IMAGE_ID),
    ("SeriesDescription", ViewSource.SERIES_DESCRIPTION),
    ("ImageComments", ViewSource.IMAGE_COMMENTS),
    ("ProtocolName", ViewSource.PROTOCOL_NAME),
)


@dataclass(frozen=True, slots=True)
class Statement:
    """One claim about a view, and where it stands."""

    view: View
    source: ViewSource


@dataclass(frozen=True, slots=True)
class Place:
    """Which image of an object is meant: number `index`, from 0, of `count`.

    detector : number, from 1, of the detector that took it; None where not stated.
    alone : whether the object holds this image only, so that its free texts speak of it.
    """

    index: int
    count: int
    detector: int | None
    alone: bool


def frame_views(
    header: Header, frames: tuple[int, ...], settings: IngestSettings
) -> tuple[tuple[Statement | None, ...], tuple[Finding, ...]]:
    """Give the view of each kept frame; None only for a single frame without any statement.

    Raises ScanRefused with E_FRAME_COUNT (more than two frames), E_VIEW_CONFLICT, E_VIEW_UNKNOWN
    (two frames without any statement) or E_VIEW_DUPLICATE.
    """
    if len(frames) > 2:
        received = f"{len(frames)} frames of one energy window, expected 1 or 2"
        raise refused(Refusal.E_FRAME_COUNT, received)
    detectors = frame_vector(header, "DetectorVector")
    places = tuple(
        Place(frame, header.frames, detectors[frame] if detectors else None, len(frames) == 1)
        for frame in frames
    )
    views = tuple(stated_view(header, place) for place in places)
    if len(views) == 1:
        return views, ()
    return _two_views(views, places, settings)


def half_views(header: Header) -> tuple[Statement, Statement]:
    """Give the views of the left and right half of one side-by-side frame.

    Raises ScanRefused with E_VIEW_CONFLICT, E_VIEW_UNKNOWN or E_VIEW_DUPLICATE.
    """
    left, right = (stated_view(header, Place(half, 2, None, alone=False)) for half in (0, 1))
    if left is None or right is None:
        raise refused(Refusal.E_VIEW_UNKNOWN, "no view statement for each half of the frame")
    _check_different(left, right)
    return left, right


def stated_view(header: Header, place: Place) -> Statement | None:
    """Give the highest-ranking statement about an image, None where there is none.

    Raises ScanRefused with E_VIEW_CONFLICT, naming both sources, if any two disagree.
    """
    statements = tuple(_statements(header, place))
    if not statements:
        return None
    first = statements[0]
    for other in statements:
        if other.view is not first.view:
            received = f"{first.view} by {first.source}, {other.view} by {other.source}"
            raise refused(Refusal.E_VIEW_CONFLICT, f"frame {place.index + 1} {received}")
    return first


def _two_views(
    views: tuple[Statement | None, ...], places: tuple[Place, ...], settings: IngestSettings
) -> tuple[tuple[Statement, Statement], tuple[Finding, ...]]:
    first, second = views
    if first and second:
        _check_different(first, second)
        return (first, second), ()
    if first or second:
        first = first or _complement(second)
        second = second or _complement(first)
        return (first, second), (Finding(IngestWarning.W_VIEW_BY_COMPLEMENT),)
    if not settings.assume_detector1_anterior:
        raise refused(Refusal.E_VIEW_UNKNOWN, "two frames without any view statement")
    swapped = (places[0].detector or 1) > (places[1].detector or 2)
    first = Statement(View.POSTERIOR if swapped else View.ANTERIOR, ViewSource.ORDER)
    return (first, Statement(first.view.opposite, ViewSource.ORDER)), (
        Finding(IngestWarning.W_VIEW_BY_ORDER),
    )


def _complement(known: Statement | None) -> Statement:
    assert known is not None  # noqa: S101 (one of the two frames is known here)
    return Statement(known.view.opposite, ViewSource.COMPLEMENT)


def _check_different(first: Statement, second: Statement) -> None:
    if first.view is second.view:
        raise refused(Refusal.E_VIEW_DUPLICATE, f"both images {first.view}")


def _statements(header: Header, place: Place) -> Iterator[Statement]:
    claims = (
        *_code_claims(header, place),
        *_ge_claims(header, place),
        (
            view_of_code(_own(texts(header.dataset, "ViewPosition"), place)),
            ViewSource.VIEW_POSITION,
        ),
        *_free_text_claims(header, place),
        (_view_of_angle(_detector_item(header, place)), ViewSource.START_ANGLE),
    )
    return (Statement(view, source) for view, source in claims if view is not None)


def _code_claims(header: Header, place: Place) -> list[tuple[View | None, ViewSource]]:
    codes = list(items(_detector_item(header, place), "ViewCodeSequence"))
    of_object = items(header.dataset, "ViewCodeSequence")
    if len(of_object) == place.count:
        codes.append(of_object[place.index])
    claims: list[tuple[View | None, ViewSource]] = []
    for code in codes:
        value = text(code, "CodeValue")
        known = text(code, "CodingSchemeDesignator").upper() in VIEW_SCHEMES
        claims.append((VIEW_CODES.get(value) if known else None, ViewSource.VIEW_CODE))
        claims.append((view_of_code(text(code, "CodeMeaning")), ViewSource.VIEW_TEXT))
        claims.append((view_of_code(value), ViewSource.VIEW_TEXT))
    return sorted(claims, key=lambda claim: claim[1] is not ViewSource.VIEW_CODE)


def _ge_claims(header: Header, place: Place) -> list[tuple[View | None, ViewSource]]:
    names = [
        _own(private_texts(header.dataset, 0x0011, GE_CREATOR, element), place)
        for element in GE_NAME_ELEMENTS
    ]
    views = [view for name in names for view in (_view_of_suffix(name), view_of_free_text(name))]
    # De-identification removes the private names but leaves Image ID, which repeats them.
    maker = text(header.dataset, "Manufacturer").upper()
    if not maker or maker.startswith("GE") or any(names):
        views.append(_view_of_suffix(_own(texts(header.dataset, "ImageID"), place)))
    return [(view, ViewSource.GE_NAME) for view in views]


def _view_of_suffix(name: str) -> View | None:
    found = GE_DETECTOR_SUFFIX.search(name.upper())
    if found is None:
        return None
    return View.ANTERIOR if found.group(1) == "E" else View.POSTERIOR


def _free_text_claims(header: Header, place: Place) -> list[tuple[View | None, ViewSource]]:
    if not place.alone:
        return []
    return [
        (view_of_free_text(text(header.dataset, keyword)), source) for keyword, source in FREE_TEXTS
    ]


def _view_of_angle(detector: Dataset) -> View | None:
    angles = numbers(detector, "StartAngle")
    if not angles:
        return None
    from_anterior = abs(angles[0] % 360 - ANTERIOR_DEGREES)
    if from_anterior <= ANGLE_TOLERANCE_DEGREES:
        return View.ANTERIOR
    return View.POSTERIOR if from_anterior >= 180 - ANGLE_TOLERANCE_DEGREES else None


def _detector_item(header: Header, place: Place) -> Dataset:
    described = items(header.dataset, "DetectorInformationSequence")
    if place.detector is not None:
        number = place.detector - 1
    else:
        number = place.index if len(described) == place.count else -1
    return described[number] if 0 <= number < len(described) else Dataset()


def _own(values: tuple[str, ...], place: Place) -> str:
    """Give an image's own value of a field that has one for each image of the object."""
    return values[place.index] if len(values) == place.count else ""
