"""A result as numbers and words that programs read: Comprehensive SR, TID 1500 (PS3.16)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from highdicom.sr import (
    AlgorithmIdentification,
    CodedConcept,
    ComprehensiveSR,
    DeviceObserverIdentifyingAttributes,
    Measurement,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    QualitativeEvaluation,
    SourceImageForMeasurementGroup,
    TextContentItem,
    TrackingIdentifier,
)
from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import UID, generate_uid

from bs_client.dicom.dataset_file import quiet_pydicom
from bs_client.dicom.result_context import (
    MANUFACTURER,
    MODEL_NAME,
    NOT_FOR_DIAGNOSIS,
    ResultInstance,
    SourceImage,
    check_one_study,
    take_over_patient_and_study,
)

# A scheme of our own. Standard codes such as "Bony metastasis, present" would say of the patient
# what only a model of a study said, and could be taken for a finding by whatever reads them.
SCHEME = "99BSFED"
SCHEME_NAME = "bs-client results of bone-scan models"
PROBABILITY = CodedConcept("BM-PROB", SCHEME, "Probability of bone metastases by a model")
CALL = CodedConcept("BM-CALL", SCHEME, "Call of a model at its threshold")
CALLED_METASTASIS = CodedConcept("BM-POS", SCHEME, "Called metastasis")
CALLED_NO_METASTASIS = CodedConcept("BM-NEG", SCHEME, "Called no metastasis")
SYNTHETIC = "The model or the scan is synthetic: no clinical claim."


@dataclass(frozen=True, slots=True)
class StudyResult:
    """What a model said of one scan.

    probability : of bone metastases, 0 to 1.
    threshold : the scan is called metastasis at or above it.
    model_name, model_sha256, weights_sha256 : which model; the digests of manifest and arrays.
    synthetic : whether the model was made from phantoms, or the scan is one.
    """

    probability: float
    threshold: float
    model_name: str
    model_sha256: str
    weights_sha256: str
    synthetic: bool

    def __post_init__(self) -> None:
        """Refuse what is no probability."""
        if not (0 <= self.probability <= 1 and 0 < self.threshold < 1):
            raise ValueError("probability and threshold lie between 0 and 1")

    @property
    def called(self) -> bool:
        """Whether the scan is called metastasis."""
        return self.probability >= self.threshold


def make_structured_report(
    result: StudyResult, source_images: Sequence[SourceImage], *, instance: ResultInstance
) -> Dataset:
    """Make a preliminary, unverified Comprehensive SR of a result.

    Parameters
    ----------
    source_images : the scan's objects, all of one study, which the report joins.

    Raises
    ------
    DataError
        The objects are of several studies, or there is none.
    """
    check_one_study(source_images)
    with quiet_pydicom():
        report: Dataset = ComprehensiveSR(
            evidence=[_evidence(source) for source in source_images],
            content=_content(result, source_images, instance)[0],
            series_instance_uid=instance.series_instance_uid,
            series_number=instance.series_number,
            series_description=instance.series_description,
            sop_instance_uid=instance.sop_instance_uid,
            instance_number=instance.instance_number,
            manufacturer=MANUFACTURER,
            manufacturer_model_name=MODEL_NAME,
            software_versions=instance.software_versions,
            content_date=instance.content_date_time.date(),
            content_time=instance.content_date_time.time(),
            is_complete=True,
        )
        instance.date(report)
        report.ContentQualification = "RESEARCH"
        report.CodingSchemeIdentificationSequence = [scheme_identification()]
        take_over_patient_and_study(report, source_images[0])
    return report


def _evidence(source: SourceImage) -> Dataset:
    """Give what highdicom needs of a source, without the patient, who is copied afterwards."""
    proxy = Dataset()
    for keyword in ("PatientID", "PatientName", "PatientBirthDate", "PatientSex"):
        setattr(proxy, keyword, None)
    for keyword in ("AccessionNumber", "StudyID", "StudyDate", "StudyTime"):
        setattr(proxy, keyword, None)
    proxy.StudyInstanceUID = source.study_instance_uid
    proxy.SeriesInstanceUID = source.series_instance_uid
    proxy.SOPInstanceUID = source.sop_instance_uid
    proxy.SOPClassUID = source.sop_class_uid
    proxy.Modality = "NM"
    return proxy


def _content(
    result: StudyResult, source_images: Sequence[SourceImage], instance: ResultInstance
) -> Sequence[Dataset]:
    report: Sequence[Dataset] = MeasurementReport(
        observation_context=ObservationContext(observer_device_context=_device()),
        procedure_reported=codes.SCT.NuclearMedicineProcedure,
        title=codes.DCM.ImagingMeasurementReport,
        imaging_measurements=[_measurements(result, source_images, instance)],
    )
    remarks = [f"{NOT_FOR_DIAGNOSIS}.", *([SYNTHETIC] if result.synthetic else [])]
    report[0].ContentSequence.append(
        TextContentItem(
            name=codes.DCM.Comment, value=" ".join(remarks), relationship_type="CONTAINS"
        )
    )
    return report


def _device() -> ObserverContext:
    return ObserverContext(
        observer_type=codes.DCM.Device,
        observer_identifying_attributes=DeviceObserverIdentifyingAttributes(
            uid=generate_uid(entropy_srcs=[MANUFACTURER, MODEL_NAME]),
            name=MODEL_NAME,
            manufacturer_name=MANUFACTURER,
        ),
    )


def _measurements(
    result: StudyResult, source_images: Sequence[SourceImage], instance: ResultInstance
) -> MeasurementsAndQualitativeEvaluations:
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(
            uid=UID(generate_uid(entropy_srcs=["whole scan", instance.sop_instance_uid])),
            identifier="whole scan",
        ),
        algorithm_id=AlgorithmIdentification(
            name=f"bone-scan model of study {result.model_name}",
            version=result.model_sha256,
            parameters=[
                f"weights SHA-256 {result.weights_sha256}",
                f"threshold {result.threshold:g}",
                f"software {instance.software_versions}",
            ],
        ),
        measurements=[
            Measurement(
                name=PROBABILITY, value=round(result.probability, 6), unit=codes.UCUM.NoUnits
            )
        ],
        qualitative_evaluations=[
            QualitativeEvaluation(
                name=CALL, value=CALLED_METASTASIS if result.called else CALLED_NO_METASTASIS
            )
        ],
        source_images=[
            SourceImageForMeasurementGroup(
                referenced_sop_class_uid=source.sop_class_uid,
                referenced_sop_instance_uid=source.sop_instance_uid,
                referenced_frame_numbers=source.referenced_frames,
            )
            for source in source_images
        ],
    )


def scheme_identification() -> Dataset:
    """Give the item that names our own coding scheme (PS3.3 table 10-1)."""
    item = Dataset()
    item.CodingSchemeDesignator = SCHEME
    item.CodingSchemeName = SCHEME_NAME
    return item
