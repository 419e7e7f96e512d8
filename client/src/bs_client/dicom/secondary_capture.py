"""A picture of a result as a DICOM object that any viewer shows (PS3.3 A.8.1)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from highdicom.sc import SCImage
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from bs_client.dicom.dataset_file import quiet_pydicom
from bs_client.dicom.result_context import (
    BODY_PART,
    MANUFACTURER,
    MODEL_NAME,
    NOT_FOR_DIAGNOSIS,
    ResultInstance,
    SourceImage,
    check_one_study,
    take_over_patient_and_study,
)

_LOSSY = ("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod")


def make_secondary_capture(
    pixel_array: NDArray[np.uint8],
    source_images: Sequence[SourceImage],
    *,
    instance: ResultInstance,
    derivation_description: str,
) -> Dataset:
    """Make a Secondary Capture Image of a picture with text in it.

    It says of itself that it is derived, secondary, for research, and that text is burned in.

    Parameters
    ----------
    pixel_array : (rows, columns, 3) uint8, RGB; stored without compression.
    source_images : the scan's objects, all of one study, which the result joins.
    derivation_description : how the picture came about, at most 1024 characters.

    Raises
    ------
    DataError
        The objects are of several studies, or there is none.
    ValueError
        The pixels are not an RGB picture, or the description is too long.
    """
    if pixel_array.ndim != 3 or pixel_array.shape[2] != 3 or pixel_array.dtype != np.uint8:
        raise ValueError(f"{pixel_array.dtype} pixels {pixel_array.shape}, expected RGB uint8")
    if len(derivation_description) > 1024:
        raise ValueError("a description longer than the 1024 characters of VR ST")
    check_one_study(source_images)
    with quiet_pydicom():
        image: Dataset = SCImage(
            pixel_array=pixel_array,
            photometric_interpretation="RGB",
            bits_allocated=8,
            coordinate_system="PATIENT",
            # Several views side by side have no one orientation; emptied below.
            patient_orientation=("L", "F"),
            study_instance_uid=source_images[0].study_instance_uid,
            series_instance_uid=instance.series_instance_uid,
            series_number=instance.series_number,
            series_description=instance.series_description,
            sop_instance_uid=instance.sop_instance_uid,
            instance_number=instance.instance_number,
            manufacturer=MANUFACTURER,
            manufacturer_model_name=MODEL_NAME,
            software_versions=instance.software_versions,
            transfer_syntax_uid=ExplicitVRLittleEndian,
        )
        _describe(image, instance, derivation_description)
        _refer(image, source_images)
        take_over_patient_and_study(image, source_images[0])
    return image


def _describe(image: Dataset, instance: ResultInstance, derivation_description: str) -> None:
    made = instance.content_date_time
    instance.date(image)
    image.DateOfSecondaryCapture, image.TimeOfSecondaryCapture = made.date(), made.time()
    image.ImageType = ["DERIVED", "SECONDARY"]
    image.ConversionType = "WSD"  # made on a workstation
    image.PatientOrientation = None
    image.BodyPartExamined = BODY_PART
    image.BurnedInAnnotation = "YES"
    image.ContentQualification = "RESEARCH"
    image.ImageComments = NOT_FOR_DIAGNOSIS
    image.DerivationDescription = derivation_description


def _refer(image: Dataset, source_images: Sequence[SourceImage]) -> None:
    image.SourceImageSequence = [source.reference() for source in source_images]
    # Loss stays loss in everything derived (PS3.3 C.7.6.1.1.5).
    for source in source_images:
        for keyword in _LOSSY:
            if source.dataset.get("LossyImageCompression") == "01" and keyword in source.dataset:
                image[keyword] = source.dataset[keyword]
