"""Circles and words that a viewer draws over the untouched scan (GSPS, PS3.3 A.33.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from highdicom.pr import (
    GraphicAnnotation,
    GraphicLayer,
    GraphicObject,
    GrayscaleSoftcopyPresentationState,
    TextObject,
)
from pydicom import Dataset

from bs_client.dicom.dataset_file import quiet_pydicom
from bs_client.dicom.result_context import (
    BODY_PART,
    MANUFACTURER,
    MODEL_NAME,
    NOT_FOR_DIAGNOSIS,
    ResultInstance,
    take_over_patient_and_study,
)
from bs_client.dicom.structured_report import StudyResult
from bs_client.dicom.view_proxy import SourceView, make_proxy, put_back

LAYER = GraphicLayer("AI_ATTENTION", order=1, description=NOT_FOR_DIAGNOSIS)


@dataclass(frozen=True, slots=True)
class Circle:
    """A circle on a stored frame, in pixels; the centre of the first pixel is (0.5, 0.5).

    row, column : its centre.
    radius : above 0; the circle lies within the frame.
    """

    row: float
    column: float
    radius: float


def make_presentation_state(
    circles: Mapping[SourceView, Sequence[Circle]], result: StudyResult, *, instance: ResultInstance
) -> Dataset:
    """Make one state for the views of a scan; the scan itself stays as it is.

    circles : for each view of the scan, perhaps none. The text is drawn on every view.
    """
    views = list(circles)
    proxies = {view: make_proxy(view) for view in views}
    with quiet_pydicom():
        made: Dataset = GrayscaleSoftcopyPresentationState(
            referenced_images=list(proxies.values()),
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
            graphic_layers=[LAYER],
            graphic_annotations=[
                GraphicAnnotation(
                    referenced_images=[proxies[view]],
                    graphic_layer=LAYER,
                    graphic_objects=[_drawn(circle) for circle in circles[view]] or None,
                    text_objects=[_words(result)],
                )
                for view in views
            ],
        )
        instance.date(made)
        made.BodyPartExamined = BODY_PART
        put_back(made, views)
        take_over_patient_and_study(made, views[0].source)
    return made


def _drawn(circle: Circle) -> GraphicObject:
    # Column before row (PS3.3 C.10.5.1.2): the centre, then any point on the line.
    points = [(circle.column, circle.row), (circle.column + circle.radius, circle.row)]
    return GraphicObject("CIRCLE", np.array(points), units="PIXEL")


def _words(result: StudyResult) -> TextObject:
    said = f"{NOT_FOR_DIAGNOSIS}. Probability {result.probability:.3f}"
    return TextObject(said, units="DISPLAY", bounding_box=(0.02, 0.02, 0.98, 0.06))
