"""A result as DICOM objects beside the scan in its study: picture, report, regions, drawing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from pydicom import Dataset
from pydicom.uid import generate_uid

from bs_client.data.preprocess import Image
from bs_client.dicom.dataset_file import open_dataset, quiet_pydicom
from bs_client.dicom.fields import text
from bs_client.dicom.presentation_state import make_presentation_state
from bs_client.dicom.result_context import ResultInstance, SourceImage, encode
from bs_client.dicom.scan import BoneScan, ViewImage
from bs_client.dicom.secondary_capture import make_secondary_capture
from bs_client.dicom.segmentation import make_segmentation
from bs_client.dicom.structured_report import StudyResult, make_structured_report
from bs_client.dicom.view_proxy import SourceView
from bs_client.predict.picture import Picture
from bs_client.predict.regions import Mask, circles_around, hot_masks
from bs_common.errors import DataError
from bs_common.files import write_atomic

# High numbers, so that a viewer lists the results after the camera's own series.
PICTURE_SERIES, REPORT_SERIES, REGIONS_SERIES, DRAWING_SERIES = 9001, 9002, 9003, 9004


@dataclass(frozen=True, slots=True, eq=False)
class DicomRequest:
    """What a scan's objects are made of, besides the report, which is always written.

    picture : of the Secondary Capture; None leaves it out.
    maps : Grad-CAM of the anterior and the posterior view, as in the scan's counts.
    seg, gsps : whether to write segmentations and a presentation state of the maps.
    """

    scan: BoneScan
    result: StudyResult
    picture: Picture | None
    maps: tuple[Image, Image]
    seg: bool
    gsps: bool
    now: datetime


def write_dicom_results(folder: Path, case: int, request: DicomRequest) -> tuple[str, ...]:
    """Write what is asked for and give the files' names.

    The same scan, model and software give the same UIDs, so that a second run names the same
    objects instead of adding others. The files are readable by their owner alone.

    Raises
    ------
    DataError
        The scan's objects lack what results are filed by, or its two views are halves of one
        frame, on which regions cannot be marked.
    """
    with quiet_pydicom():
        sources = find_sources(request.scan)
    names = []
    for kind, made in _objects(request, sources):
        names.append(f"case-{case:04d}-{kind}.dcm")
        write_atomic(folder / names[-1], encode(made), mode=0o600)
    return tuple(names)


def _objects(
    request: DicomRequest, sources: Sequence[SourceImage]
) -> Iterator[tuple[str, Dataset]]:
    result = request.result
    if request.picture is not None:
        instance = _instance(request, "overlay", PICTURE_SERIES)
        yield (
            "overlay",
            make_secondary_capture(
                request.picture,
                sources,
                instance=instance,
                derivation_description=_derivation(result),
            ),
        )
    instance = _instance(request, "report", REPORT_SERIES)
    yield "report", make_structured_report(result, sources, instance=instance)
    if request.seg or request.gsps:
        yield from _regions(request, sources)


def _regions(
    request: DicomRequest, sources: Sequence[SourceImage]
) -> Iterator[tuple[str, Dataset]]:
    masks = _stored_masks(request, sources)
    if request.seg:
        for number, (view, mask) in enumerate(masks.items(), start=1):
            if mask.any():
                instance = _instance(request, "regions", REGIONS_SERIES, number=number)
                made = make_segmentation(mask, view, request.result, instance=instance)
                yield f"{view.name}-seg", made
    if request.gsps:
        circles = {view: circles_around(mask) for view, mask in masks.items()}
        instance = _instance(request, "drawing", DRAWING_SERIES)
        yield "gsps", make_presentation_state(circles, request.result, instance=instance)


def _stored_masks(request: DicomRequest, sources: Sequence[SourceImage]) -> dict[SourceView, Mask]:
    """Give the hot regions of each view in the pixels of its stored frame."""
    scan = request.scan
    places = [(view.sop_instance_uid, view.frame) for view in (scan.anterior, scan.posterior)]
    if places[0] == places[1]:
        raise DataError("regions cannot be marked on the two halves of one frame")
    by_uid = {source.sop_instance_uid: source for source in sources}
    named = (("anterior", scan.anterior), ("posterior", scan.posterior))
    masks = hot_masks(*request.maps)
    return {
        _source_view(name, view, by_uid): mask[:, ::-1] if view.mirrored else mask
        for (name, view), mask in zip(named, masks, strict=True)
    }


def _source_view(name: str, view: ViewImage, by_uid: dict[str, SourceImage]) -> SourceView:
    rows, columns = view.counts.shape
    return SourceView(name, by_uid[view.sop_instance_uid], view.frame, (rows, columns))


def find_sources(scan: BoneScan) -> list[SourceImage]:
    """Give the scan's objects with the frames that were read, the anterior view's first."""
    frames: dict[str, list[int]] = {}
    for view in (scan.anterior, scan.posterior):
        frames.setdefault(view.sop_instance_uid, []).append(view.frame)
    datasets = [open_dataset(file, with_pixels=False).dataset for file in scan.files]
    by_uid = {text(dataset, "SOPInstanceUID"): dataset for dataset in datasets}
    return [SourceImage(by_uid[uid], tuple(sorted(used))) for uid, used in frames.items()]


def _instance(
    request: DicomRequest, kind: str, series_number: int, *, number: int = 1
) -> ResultInstance:
    scan = request.scan
    software = f"bs-client {version('bs-client')}"
    entropy: Sequence[str] = (
        *(kind, software, request.result.model_sha256, scan.study_uid, scan.pixel_sha256),
        *(scan.anterior.sop_instance_uid, scan.posterior.sop_instance_uid),
    )
    return ResultInstance(
        series_instance_uid=generate_uid(entropy_srcs=["series", *entropy]),
        series_number=series_number,
        series_description=f"AI {kind}, research: not for diagnosis",
        sop_instance_uid=generate_uid(entropy_srcs=["instance", str(number), *entropy]),
        software_versions=software,
        content_date_time=request.now,
        instance_number=number,
    )


def _derivation(result: StudyResult) -> str:
    return (
        f"Grad-CAM of the bone-scan model of study {result.model_name}, manifest SHA-256 "
        f"{result.model_sha256}, laid over both views. Probability of bone metastases "
        f"{result.probability:.3f}, threshold {result.threshold:g}."
    )
