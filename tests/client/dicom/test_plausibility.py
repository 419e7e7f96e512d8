"""Rules 17 to 22: what the counts themselves say."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset

from bs_client.dicom import StudyReading
from bs_client.dicom.plausibility import check_pair, correlation

Make = Callable[..., Dataset]
CodeOf = Callable[..., str]
Read = Callable[..., StudyReading]
Body = NDArray[np.uint16]


@pytest.fixture
def scan(make_object: Make) -> Dataset:
    return make_object("anterior", "posterior")


@pytest.fixture
def side_by_side(make_object: Make, body: Body) -> Dataset:
    """One frame with the anterior view left and the posterior one right."""
    wide = make_object("anterior", codes=False)
    wide.Columns = 128
    wide.PixelData = np.hstack([body, body[:, ::-1]]).astype("<u2").tobytes()
    return wide


def with_frames(scan: Dataset, *frames: NDArray[np.generic]) -> Dataset:
    scan.PixelData = np.stack(frames).astype("<u2").tobytes()
    return scan


def test_both_views_in_one_frame_are_refused_by_default(
    side_by_side: Dataset, code_of: CodeOf
) -> None:
    assert code_of(side_by_side) == "E_SIDE_BY_SIDE"


def test_a_site_may_cut_a_frame_whose_halves_are_named(
    side_by_side: Dataset, read: Read, body: Body
) -> None:
    side_by_side.ViewPosition = ["ANTERIOR", "POSTERIOR"]

    scan = read(side_by_side, split_side_by_side=True).scan

    assert scan is not None
    assert scan.warnings == ("W_MAYBE_SIDE_BY_SIDE",)
    np.testing.assert_array_equal(scan.anterior.counts, body)
    np.testing.assert_array_equal(scan.posterior.counts, body[:, ::-1])


def test_a_cut_frame_without_named_halves_is_refused(
    side_by_side: Dataset, code_of: CodeOf
) -> None:
    assert code_of(side_by_side, split_side_by_side=True) == "E_VIEW_UNKNOWN"


def test_one_body_in_a_wide_matrix_is_not_side_by_side(
    make_object: Make, code_of: CodeOf, body: Body
) -> None:
    wide = make_object("anterior")
    wide.Columns = 128
    wide.PixelData = np.pad(body, ((0, 0), (32, 32))).astype("<u2").tobytes()

    assert code_of(wide) == "E_VIEW_MISSING"


def test_a_blank_view_is_refused(scan: Dataset, code_of: CodeOf, body: Body) -> None:
    assert code_of(with_frames(scan, body, np.full_like(body, 20))) == "E_BLANK"


def test_too_few_counts_are_refused(scan: Dataset, code_of: CodeOf, body: Body) -> None:
    assert code_of(with_frames(scan, body // 12, body)) == "E_TOO_FEW_COUNTS"


def test_low_counts_are_told(scan: Dataset, read: Read, body: Body) -> None:
    accepted = read(with_frames(scan, body // 2, body[:, ::-1])).scan

    assert accepted is not None
    assert accepted.notes == (f"W_LOW_COUNTS: {(body // 2).sum()} counts",)


def test_bright_upper_corners_are_no_scan(scan: Dataset, code_of: CodeOf, body: Body) -> None:
    assert code_of(with_frames(scan, 200 - body, body)) == "E_NOT_A_SCAN"


@pytest.mark.parametrize(("pixels", "warned"), [(3, False), (4, True)])
def test_pixels_at_the_top_of_the_range_are_counted(
    scan: Dataset, read: Read, body: Body, pixels: int, warned: bool
) -> None:
    body[80, 32 : 32 + pixels] = 32767

    accepted = read(with_frames(scan, body, body[:, ::-1])).scan

    assert accepted is not None
    assert (f"W_SATURATED: {pixels} pixels at 32767" in accepted.notes) == warned


def test_a_jump_from_255_to_nothing_is_an_8_bit_wrap(
    scan: Dataset, code_of: CodeOf, body: Body
) -> None:
    body[120, 30:34] = (255, 4, 250, 200)

    assert code_of(with_frames(scan, body, body[:, ::-1])) == "E_WRAP8"


def test_a_site_may_accept_8_bit_wraps(scan: Dataset, read: Read, body: Body) -> None:
    body[120, 30:34] = (255, 4, 250, 200)

    accepted = read(with_frames(scan, body, body[:, ::-1]), accept_wrap8=True).scan

    assert accepted is not None
    assert accepted.warnings == ("W_WRAP8",)


def test_a_body_that_reaches_the_last_rows_is_cut(scan: Dataset, read: Read, body: Body) -> None:
    body[230:] = body[229]

    accepted = read(with_frames(scan, body, body[:, ::-1])).scan

    assert accepted is not None
    assert "W_BODY_CUT" in accepted.warnings


@pytest.mark.parametrize(("spacing_mm", "warned"), [(4.0, True), (9.04, False), (11.0, True)])
def test_an_implausible_body_height_is_told(
    scan: Dataset, read: Read, spacing_mm: float, warned: bool
) -> None:
    scan.PixelSpacing = [spacing_mm, spacing_mm]

    accepted = read(scan).scan

    assert accepted is not None
    assert ("W_BODY_HEIGHT" in accepted.warnings) == warned


def test_views_that_do_not_fit_each_other_are_told(scan: Dataset, read: Read, body: Body) -> None:
    shifted = np.roll(body[::-1], 25, axis=1)

    accepted = read(with_frames(scan, body, shifted)).scan

    assert accepted is not None
    assert "W_VIEW_GEOMETRY" in accepted.warnings


def test_a_mirrored_posterior_view_is_told_and_kept(scan: Dataset, read: Read, body: Body) -> None:
    accepted = read(with_frames(scan, body, body)).scan

    assert accepted is not None
    assert accepted.warnings == ("W_PA_MIRRORED",)
    np.testing.assert_array_equal(accepted.posterior.counts, body)


def test_a_site_may_turn_mirrored_posterior_views(scan: Dataset, read: Read, body: Body) -> None:
    accepted = read(with_frames(scan, body, body), flip_mirrored_posterior=True).scan

    assert accepted is not None
    np.testing.assert_array_equal(accepted.posterior.counts, body[:, ::-1])
    assert accepted.posterior.mirrored
    assert not accepted.anterior.mirrored


def test_correlation_is_one_for_equal_views_and_ignores_gain(body: Body) -> None:
    counts = body.astype(np.float32)

    assert correlation(counts, 3 * counts) == pytest.approx(1)
    assert check_pair(counts, counts[:, ::-1]) == ()
