from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import highdicom
import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import ComprehensiveSRStorage, generate_uid

from bs_client.dicom.result_context import ResultInstance, SourceImage, encode
from bs_client.dicom.structured_report import StudyResult, make_structured_report
from bs_common.errors import DataError

Make = Callable[..., Dataset]
INSTANCE = ResultInstance(
    series_instance_uid="1.2.3.1",
    series_number=9002,
    series_description="AI report",
    sop_instance_uid="1.2.3.2",
    software_versions="bs-client 1.0",
    content_date_time=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
)
RESULT = StudyResult(
    probability=0.731,
    threshold=0.5,
    model_name="three-sites",
    model_sha256="a" * 64,
    weights_sha256="b" * 64,
    synthetic=False,
)


@pytest.fixture
def scan(make_object: Make) -> Dataset:
    dataset = make_object("anterior", "posterior")
    dataset.SeriesInstanceUID = generate_uid()
    dataset.PatientName, dataset.PatientSex = "Doe^Jane", "F"
    return dataset


@pytest.fixture
def report_of(scan: Dataset) -> Callable[[StudyResult], Dataset]:
    """Make a report and read its bytes back."""

    def make(result: StudyResult) -> Dataset:
        made = make_structured_report(result, [SourceImage(scan, (1, 2))], instance=INSTANCE)
        return dcmread(io.BytesIO(encode(made)))

    return make


def items(dataset: Dataset) -> Iterator[Dataset]:
    """Walk the content tree by the standard's attributes alone."""
    for item in dataset.get("ContentSequence", ()):
        yield item
        yield from items(item)


def named(report: Dataset, code: str) -> list[Dataset]:
    return [i for i in items(report) if i.ConceptNameCodeSequence[0].CodeValue == code]


def test_the_probability_is_a_number_in_the_tree(
    report_of: Callable[[StudyResult], Dataset],
) -> None:
    (item,) = named(report_of(RESULT), "BM-PROB")

    assert item.ValueType == "NUM"
    assert float(item.MeasuredValueSequence[0].NumericValue) == 0.731
    assert item.MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0].CodeValue == "1"


@pytest.mark.parametrize(
    ("probability", "code"), [(0.731, "BM-POS"), (0.5, "BM-POS"), (0.499999, "BM-NEG")]
)
def test_the_call_is_made_at_or_above_the_threshold(
    report_of: Callable[[StudyResult], Dataset], probability: float, code: str
) -> None:
    (item,) = named(report_of(replace(RESULT, probability=probability)), "BM-CALL")

    assert item.ConceptCodeSequence[0].CodeValue == code


def test_another_library_reads_the_same_measurement(scan: Dataset) -> None:
    made = make_structured_report(RESULT, [SourceImage(scan, (1, 2))], instance=INSTANCE)

    report: Any = highdicom.sr.srread(io.BytesIO(encode(made)))

    (group,) = report.content.get_image_measurement_groups()
    (measurement,) = group.get_measurements()
    assert measurement.value == 0.731
    title = report.content[0].ConceptNameCodeSequence[0]
    assert (title.CodeValue, title.CodeMeaning) == ("126000", "Imaging Measurement Report")
    assert report.ContentTemplateSequence[0].TemplateIdentifier == "1500"


def test_the_model_is_named_by_study_digests_threshold_and_software(
    report_of: Callable[[StudyResult], Dataset],
) -> None:
    report = report_of(RESULT)

    (name,) = named(report, "111001")
    (version,) = named(report, "111003")
    parameters = " ".join(item.TextValue for item in named(report, "111002"))
    assert "three-sites" in name.TextValue
    assert version.TextValue == "a" * 64
    for part in ("b" * 64, "threshold 0.5", "bs-client 1.0"):
        assert part in parameters


def test_it_is_filed_in_the_scan_s_study_in_a_series_of_its_own(
    report_of: Callable[[StudyResult], Dataset], scan: Dataset
) -> None:
    report = report_of(RESULT)

    assert report.SOPClassUID == ComprehensiveSRStorage
    assert report.StudyInstanceUID == scan.StudyInstanceUID
    assert report.SeriesInstanceUID == "1.2.3.1"
    assert (report.Modality, report.PatientName, report.PatientID) == ("SR", "Doe^Jane", "P1")


def test_its_evidence_is_the_scan(
    report_of: Callable[[StudyResult], Dataset], scan: Dataset
) -> None:
    report = report_of(RESULT)

    (study,) = report.CurrentRequestedProcedureEvidenceSequence
    (series,) = study.ReferencedSeriesSequence
    assert series.SeriesInstanceUID == scan.SeriesInstanceUID
    assert series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == scan.SOPInstanceUID
    (source,) = named(report, "121112")
    assert source.ReferencedSOPSequence[0].ReferencedFrameNumber == [1, 2]


def test_it_is_unverified_preliminary_research(
    report_of: Callable[[StudyResult], Dataset],
) -> None:
    report = report_of(RESULT)

    assert (report.VerificationFlag, report.PreliminaryFlag) == ("UNVERIFIED", "PRELIMINARY")
    assert report.ContentQualification == "RESEARCH"
    assert "not for diagnosis" in named(report, "121106")[0].TextValue


def test_it_uses_no_code_that_would_state_a_disease_of_the_patient(
    report_of: Callable[[StudyResult], Dataset],
) -> None:
    report = report_of(RESULT)

    findings = named(report, "121071")  # (121071, DCM, "Finding")
    values = [i.ConceptCodeSequence[0].CodeValue for i in items(report) if i.ValueType == "CODE"]
    assert findings == []
    assert "94222008" not in values  # (94222008, SCT, "Bony metastasis")


def test_the_codes_of_its_own_name_their_scheme(
    report_of: Callable[[StudyResult], Dataset],
) -> None:
    report = report_of(RESULT)

    private = {
        i.ConceptNameCodeSequence[0].CodingSchemeDesignator
        for i in items(report)
        if i.ConceptNameCodeSequence[0].CodingSchemeDesignator.startswith("99")
    }
    assert private == {
        item.CodingSchemeDesignator for item in report.CodingSchemeIdentificationSequence
    }


def test_a_synthetic_result_says_so(report_of: Callable[[StudyResult], Dataset]) -> None:
    (comment,) = named(report_of(replace(RESULT, synthetic=True)), "121106")

    assert "no clinical claim" in comment.TextValue


def test_a_report_on_no_scan_is_refused() -> None:
    with pytest.raises(DataError, match="0 studies"):
        make_structured_report(RESULT, [], instance=INSTANCE)


@pytest.mark.parametrize("probability", [-0.1, 1.1, float("nan")])
def test_what_is_no_probability_is_refused(probability: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        replace(RESULT, probability=probability)
