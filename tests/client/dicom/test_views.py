"""Rules 12 to 15: which view each frame is, from every source."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset, Sequence

from bs_client.dicom import StudyReading

Make = Callable[..., Dataset]
Code = Callable[[str, str, str], Dataset]
CodeOf = Callable[..., str]
Read = Callable[..., StudyReading]


@pytest.fixture
def unnamed(make_object: Make) -> Dataset:
    """Two frames, anterior first, without any statement about their views."""
    return make_object("anterior", "posterior", codes=False)


@pytest.fixture
def unnamed_singles(make_object: Make) -> tuple[Dataset, Dataset]:
    """An anterior and a posterior object that do not say so."""
    return make_object("anterior", codes=False), make_object("posterior", codes=False)


@pytest.mark.parametrize("order", [("anterior", "posterior"), ("posterior", "anterior")])
def test_two_coded_frames_are_accepted_in_any_order(
    make_object: Make, read: Read, body: NDArray[np.uint16], order: tuple[str, str]
) -> None:
    scan = read(make_object(*order)).scan

    assert scan is not None
    assert scan.warnings == ()
    np.testing.assert_array_equal(scan.anterior.counts, body)
    np.testing.assert_array_equal(scan.posterior.counts, body[:, ::-1])
    assert scan.anterior.frame == order.index("anterior") + 1
    assert scan.anterior.source == scan.posterior.source == "view_code"


@pytest.mark.parametrize(
    ("scheme", "anterior", "posterior"),
    [
        ("SRT", "G-5215", "G-5216"),
        ("SNM3", "G-5215", "G-5216"),
        ("99SDM", "G-5215", "G-5216"),
        ("SRT", "R-404CC", "R-404CE"),
        ("SCT", "255549009", "255551008"),
    ],
)
def test_historic_codes_and_plain_qualifiers_are_known(
    unnamed: Dataset, make_code: Code, read: Read, scheme: str, anterior: str, posterior: str
) -> None:
    for detector, value in zip(
        unnamed.DetectorInformationSequence, (anterior, posterior), strict=True
    ):
        detector.ViewCodeSequence = Sequence([make_code(value, scheme, "")])

    scan = read(unnamed).scan

    assert scan is not None
    assert (scan.anterior.frame, scan.anterior.source) == (1, "view_code")


@pytest.mark.parametrize(
    ("anterior", "posterior"),
    [
        (("AN", "99LOCAL", "Anterior"), ("PO", "99LOCAL", "Posterior")),
        (("FACE ANT", "99NMG", "FACE ANT"), ("FACE POST", "99NMG", "FACE POST")),
        (("V", "99HOUSE", "von vorne"), ("H", "99HOUSE", "von hinten")),
    ],
)
def test_local_codes_are_read_by_their_words(
    unnamed: Dataset,
    make_code: Code,
    read: Read,
    anterior: tuple[str, str, str],
    posterior: tuple[str, str, str],
) -> None:
    for detector, code in zip(
        unnamed.DetectorInformationSequence, (anterior, posterior), strict=True
    ):
        detector.ViewCodeSequence = Sequence([make_code(*code)])

    scan = read(unnamed).scan

    assert scan is not None
    assert (scan.anterior.frame, scan.anterior.source) == (1, "view_text")


def test_detector_vector_and_not_frame_order_finds_the_code(make_object: Make, read: Read) -> None:
    scan = make_object("posterior", "anterior")
    scan.DetectorVector = [2, 1]

    accepted = read(scan).scan

    assert accepted is not None
    assert accepted.anterior.frame == 1


def test_ge_names_of_both_frames_tell_their_views(unnamed: Dataset, read: Read) -> None:
    names = unnamed.private_block(0x0011, "GEMS_GENIE_1", create=True)
    names.add_new(0x12, "LO", ["WB_F", "WB_E"])

    scan = read(unnamed).scan

    assert scan is not None
    assert (scan.anterior.frame, scan.anterior.source) == (2, "ge_name")


def test_view_position_tells_the_views(unnamed: Dataset, read: Read) -> None:
    unnamed.ViewPosition = ["POSTERIOR", "ANTERIOR"]

    scan = read(unnamed).scan

    assert scan is not None
    assert (scan.anterior.frame, scan.anterior.source) == (2, "view_position")


@pytest.mark.parametrize(
    ("keyword", "source"),
    [
        ("ImageID", "image_id"),
        ("SeriesDescription", "series_description"),
        ("ImageComments", "image_comments"),
        ("ProtocolName", "protocol_name"),
    ],
)
def test_free_text_tells_the_view_of_single_frames(
    unnamed_singles: tuple[Dataset, Dataset], read: Read, keyword: str, source: str
) -> None:
    for one, view in zip(unnamed_singles, ("WB ANT", "WB POST"), strict=True):
        setattr(one, keyword, view)

    scan = read(*unnamed_singles).scan

    assert scan is not None
    assert scan.anterior.sop_instance_uid == unnamed_singles[0].SOPInstanceUID
    assert (scan.anterior.source, scan.posterior.source) == (source, source)


def test_free_text_says_nothing_about_one_of_two_frames(unnamed: Dataset, code_of: CodeOf) -> None:
    unnamed.SeriesDescription = "WB ANT"

    assert code_of(unnamed) == "E_VIEW_UNKNOWN"


@pytest.mark.parametrize(
    ("angles", "anterior_frame"),
    [((180, 360), 1), ((0, 180), 2), ((200, -20), 1), ((44.5, 135.5), 2)],
)
def test_start_angles_tell_the_views(
    unnamed: Dataset, read: Read, angles: tuple[float, float], anterior_frame: int
) -> None:
    for detector, angle in zip(unnamed.DetectorInformationSequence, angles, strict=True):
        detector.StartAngle = angle

    scan = read(unnamed).scan

    assert scan is not None
    assert (scan.anterior.frame, scan.anterior.source) == (anterior_frame, "start_angle")


def test_a_start_angle_from_the_side_tells_nothing(unnamed: Dataset, code_of: CodeOf) -> None:
    for detector in unnamed.DetectorInformationSequence:
        detector.StartAngle = 90

    assert code_of(unnamed) == "E_VIEW_UNKNOWN"


def test_two_sources_that_disagree_are_both_named(make_object: Make, read: Read) -> None:
    scan = make_object("anterior", "posterior")
    scan.DetectorInformationSequence[0].StartAngle = 0

    refusal = read(scan).refusal

    assert refusal is not None
    assert refusal.refusal == "E_VIEW_CONFLICT"
    assert "anterior by view_code, posterior by start_angle" in str(refusal)


def test_a_code_that_contradicts_its_own_meaning_is_a_conflict(
    unnamed: Dataset, make_code: Code, code_of: CodeOf
) -> None:
    code = make_code("399321004", "SCT", "Posterior projection")
    unnamed.DetectorInformationSequence[0].ViewCodeSequence = Sequence([code])

    assert code_of(unnamed) == "E_VIEW_CONFLICT"


def test_one_known_frame_tells_the_other(make_object: Make, read: Read) -> None:
    scan = make_object("posterior", "anterior")
    del scan.DetectorInformationSequence[1].ViewCodeSequence

    accepted = read(scan).scan

    assert accepted is not None
    assert accepted.warnings == ("W_VIEW_BY_COMPLEMENT",)
    assert (accepted.anterior.frame, accepted.anterior.source) == (2, "complement")


def test_two_unknown_frames_are_refused_by_default(unnamed: Dataset, code_of: CodeOf) -> None:
    assert code_of(unnamed) == "E_VIEW_UNKNOWN"


@pytest.mark.parametrize(("detectors", "anterior_frame"), [([1, 2], 1), ([2, 1], 2)])
def test_a_site_may_take_detector_1_as_anterior(
    unnamed: Dataset, read: Read, detectors: list[int], anterior_frame: int
) -> None:
    unnamed.DetectorVector = detectors

    scan = read(unnamed, assume_detector1_anterior=True).scan

    assert scan is not None
    assert "W_VIEW_BY_ORDER" in scan.warnings
    assert (scan.anterior.frame, scan.anterior.source) == (anterior_frame, "order")


def test_two_frames_of_one_view_are_refused(make_object: Make, code_of: CodeOf) -> None:
    assert code_of(make_object("anterior", "anterior")) == "E_VIEW_DUPLICATE"


def test_one_frame_without_a_view_is_refused(
    unnamed_singles: tuple[Dataset, Dataset], code_of: CodeOf
) -> None:
    assert code_of(unnamed_singles[0]) == "E_VIEW_UNKNOWN"


def test_more_than_two_frames_of_one_window_are_refused(make_object: Make, code_of: CodeOf) -> None:
    assert code_of(make_object("anterior", "posterior", "anterior")) == "E_FRAME_COUNT"
