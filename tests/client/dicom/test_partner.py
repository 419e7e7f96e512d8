"""Rule 16: the second view of a study."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy

import numpy as np
import pytest
from pydicom import Dataset, Sequence
from pydicom.uid import generate_uid

from bs_client.dicom import StudyReading

Make = Callable[..., Dataset]
CodeOf = Callable[..., str]
Read = Callable[..., StudyReading]


@pytest.fixture
def singles(make_object: Make) -> tuple[Dataset, Dataset]:
    return make_object("anterior"), make_object("posterior")


def again(original: Dataset, time: str, *, gain: int = 1) -> Dataset:
    """Copy an object as another acquisition."""
    copy = deepcopy(original)
    copy.SOPInstanceUID = generate_uid()
    copy.file_meta.MediaStorageSOPInstanceUID = copy.SOPInstanceUID
    copy.AcquisitionTime = time
    copy.PixelData = (np.frombuffer(original.PixelData, "<u2") * gain).astype("<u2").tobytes()
    return copy


def test_two_single_views_of_a_study_are_joined(
    singles: tuple[Dataset, Dataset], read: Read
) -> None:
    reading = read(*singles[::-1])

    assert reading.scan is not None
    assert reading.scan.warnings == ()
    assert len(reading.scan.files) == 2
    assert [one.verdict for one in reading.verdicts] == ["accepted", "accepted"]


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("StudyInstanceUID", "1.2.3"),
        ("PixelSpacing", [4.8, 4.8]),
        ("AcquisitionTime", "102501"),
        ("AcquisitionDate", "20240103"),
    ],
)
def test_a_view_that_differs_is_no_partner(
    singles: tuple[Dataset, Dataset], code_of: CodeOf, keyword: str, value: object
) -> None:
    setattr(singles[1], keyword, value)

    assert code_of(*singles) == "E_VIEW_MISSING"


def test_another_matrix_is_no_partner(singles: tuple[Dataset, Dataset], code_of: CodeOf) -> None:
    posterior = singles[1]
    wider = np.pad(np.frombuffer(posterior.PixelData, "<u2").reshape(256, 64), ((0, 0), (2, 2)))
    posterior.Columns, posterior.PixelData = 68, wider.tobytes()

    assert code_of(*singles) == "E_VIEW_MISSING"


def test_another_radionuclide_is_no_partner(
    singles: tuple[Dataset, Dataset],
    code_of: CodeOf,
    make_code: Callable[[str, str, str], Dataset],
) -> None:
    for one, code in zip(singles, ("C-163A8", "C-114A6"), strict=True):
        drug = Dataset()
        drug.RadionuclideCodeSequence = Sequence([make_code(code, "SRT", "")])
        one.RadiopharmaceuticalInformationSequence = Sequence([drug])

    assert code_of(*singles) == "E_VIEW_MISSING"


def test_two_pass_views_may_lie_an_hour_apart(
    singles: tuple[Dataset, Dataset], code_of: CodeOf
) -> None:
    for one in singles:
        one.WholeBodyTechnique = "2PS"
    singles[1].AcquisitionTime = "111500"

    assert code_of(*singles) == "accepted"


def test_views_that_both_state_no_time_are_joined(
    singles: tuple[Dataset, Dataset], code_of: CodeOf
) -> None:
    for one in singles:
        del one.AcquisitionTime

    assert code_of(*singles) == "accepted"


def test_a_refused_object_does_not_harm_a_complete_pair(make_object: Make, read: Read) -> None:
    spot = make_object("anterior")
    spot.ImageType = ["ORIGINAL", "PRIMARY", "STATIC", "EMISSION"]

    reading = read(spot, make_object("anterior", "posterior"))

    assert [one.verdict for one in reading.verdicts] == ["E_NOT_WHOLE_BODY", "accepted"]


def test_the_newest_of_several_pairs_is_taken(make_object: Make, read: Read) -> None:
    early = make_object("anterior", "posterior")
    late = again(early, "130000")

    reading = read(late, early)

    assert reading.scan is not None
    assert reading.scan.anterior.sop_instance_uid == late.SOPInstanceUID
    assert reading.scan.warnings == ("W_MULTIPLE_CANDIDATES",)
    assert [one.verdict for one in reading.verdicts] == ["accepted", "accepted"]


def test_an_original_goes_before_a_newer_derived_pair(make_object: Make, read: Read) -> None:
    original = make_object("anterior", "posterior")
    derived = again(original, "130000")
    derived.ImageType = ["DERIVED", "PRIMARY", "WHOLE BODY", "EMISSION"]

    scan = read(original, derived).scan

    assert scan is not None
    assert scan.anterior.sop_instance_uid == original.SOPInstanceUID


def test_of_equally_new_pairs_the_one_with_most_counts_is_taken(
    make_object: Make, read: Read
) -> None:
    faint = make_object("anterior", "posterior")
    bright = again(faint, "101500", gain=2)

    scan = read(faint, bright).scan

    assert scan is not None
    assert scan.anterior.sop_instance_uid == bright.SOPInstanceUID


def test_equal_pairs_are_ambiguous(make_object: Make, read: Read) -> None:
    first = make_object("anterior", "posterior")

    reading = read(first, again(first, "101500"))

    assert [one.verdict for one in reading.verdicts] == ["E_AMBIGUOUS", "E_AMBIGUOUS"]


def test_copies_of_one_object_count_once(make_object: Make, read: Read) -> None:
    scan = make_object("anterior", "posterior")

    reading = read(scan, scan)

    assert reading.scan is not None
    assert reading.scan.warnings == ()
    assert [one.verdict for one in reading.verdicts] == ["accepted", "accepted"]


def test_two_acquisitions_of_single_views_are_not_mixed(
    singles: tuple[Dataset, Dataset], read: Read
) -> None:
    anterior, posterior = singles
    later = again(anterior, "102000"), again(posterior, "102000")

    scan = read(anterior, posterior, *later).scan

    assert scan is not None
    assert scan.anterior.sop_instance_uid == later[0].SOPInstanceUID
    assert scan.posterior.sop_instance_uid == later[1].SOPInstanceUID
