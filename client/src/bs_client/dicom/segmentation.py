"""Where a model looked as a DICOM segmentation, one object a view (PS3.3 A.51)."""

from __future__ import annotations

import numpy as np
from highdicom import AlgorithmIdentificationSequence
from highdicom.seg import Segmentation, SegmentDescription
from highdicom.sr import CodedConcept
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import generate_uid

from bs_client.dicom.dataset_file import quiet_pydicom
from bs_client.dicom.result_context import (
    BODY_PART,
    MANUFACTURER,
    MODEL_NAME,
    NOT_FOR_DIAGNOSIS,
    ResultInstance,
    take_over_patient_and_study,
)
from bs_client.dicom.structured_report import SCHEME, StudyResult, scheme_identification
from bs_client.dicom.view_proxy import SourceView, make_proxy, put_back

# Of our own scheme, as in the report: the map shows where the model looked, no lesion.
ATTENTION = CodedConcept("BM-ATT", SCHEME, "Attention of a model (Grad-CAM)")
SEGMENT_LABEL = "AI attention, not a lesion"


def make_segmentation(
    mask: NDArray[np.bool_], view: SourceView, result: StudyResult, *, instance: ResultInstance
) -> Dataset:
    """Make a binary segmentation of one view.

    Parameters
    ----------
    mask : (rows, columns) of the frame as it is stored; at least one pixel set.

    Raises
    ------
    ValueError
        The mask has another shape than the frame, or marks nothing.
    """
    if mask.shape != view.shape or not mask.any():
        raise ValueError(f"a mask of {mask.shape} for {view.shape}, expected some pixels in it")
    with quiet_pydicom():
        made: Dataset = Segmentation(
            source_images=[make_proxy(view)],
            pixel_array=mask[np.newaxis],  # (1, rows, columns)
            segmentation_type="BINARY",
            segment_descriptions=[_segment(result, instance)],
            series_instance_uid=instance.series_instance_uid,
            series_number=instance.series_number,
            series_description=instance.series_description,
            sop_instance_uid=instance.sop_instance_uid,
            instance_number=instance.instance_number,
            manufacturer=MANUFACTURER,
            manufacturer_model_name=MODEL_NAME,
            software_versions=instance.software_versions,
            device_serial_number=result.model_sha256,
            content_label="AI_ATTENTION",
            content_description=NOT_FOR_DIAGNOSIS,
        )
        instance.date(made)
        made.ContentQualification = "RESEARCH"
        made.BodyPartExamined = BODY_PART
        made.PatientOrientation = None  # the scan has none that would hold for both views
        made.CodingSchemeIdentificationSequence = [scheme_identification()]
        put_back(made, [view])
        take_over_patient_and_study(made, view.source)
    return made


def _segment(result: StudyResult, instance: ResultInstance) -> SegmentDescription:
    return SegmentDescription(
        segment_number=1,
        segment_label=SEGMENT_LABEL,
        segmented_property_category=codes.SCT.SpatialAndRelationalConcept,
        segmented_property_type=ATTENTION,
        algorithm_type="AUTOMATIC",
        algorithm_identification=AlgorithmIdentificationSequence(
            name=f"Grad-CAM, study {result.model_name}",
            family=codes.DCM.ArtificialIntelligence,
            version=result.model_sha256,
        ),
        tracking_uid=generate_uid(entropy_srcs=["attention", instance.sop_instance_uid]),
        tracking_id="AI attention",
    )
