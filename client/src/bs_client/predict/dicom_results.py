"""A result as DICOM objects beside the scan in its study: a picture and a report."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from pydicom.uid import generate_uid

from bs_client.dicom.dataset_file import open_dataset, quiet_pydicom
from bs_client.dicom.fields import text
from bs_client.dicom.result_context import ResultInstance, SourceImage, encode
from bs_client.dicom.scan import BoneScan
from bs_client.dicom.secondary_capture import make_secondary_capture
from bs_client.dicom.structured_report import StudyResult, make_structured_report
from bs_client.predict.picture import Picture
from bs_common.files import write_atomic

# High numbers, so that a viewer lists the results after the camera's own series.
PICTURE_SERIES, REPORT_SERIES = 9001, 9002


def write_dicom_results(
    folder: Path,
    case: int,
    scan: BoneScan,
    result: StudyResult,
    *,
    picture: Picture | None,
    now: datetime,
) -> tuple[str, ...]:
    """Write the report, and the picture where there is one; give the files' names.

    The same scan, model and software give the same UIDs, so that a second run names the same
    objects instead of adding others. The files are readable by their owner alone.

    Raises
    ------
    DataError
        The scan's objects lack what results are filed by.
    """
    with quiet_pydicom():
        sources = find_sources(scan)
    names = []
    if picture is not None:
        capture = make_secondary_capture(
            picture,
            sources,
            instance=_instance("overlay", PICTURE_SERIES, scan, result, now),
            derivation_description=_derivation(result),
        )
        names.append(f"case-{case:04d}-overlay.dcm")
        write_atomic(folder / names[-1], encode(capture), mode=0o600)
    report = make_structured_report(
        result, sources, instance=_instance("report", REPORT_SERIES, scan, result, now)
    )
    names.append(f"case-{case:04d}-report.dcm")
    write_atomic(folder / names[-1], encode(report), mode=0o600)
    return tuple(names)


def find_sources(scan: BoneScan) -> list[SourceImage]:
    """Give the scan's objects with the frames that were read, the anterior view's first."""
    frames: dict[str, list[int]] = {}
    for view in (scan.anterior, scan.posterior):
        frames.setdefault(view.sop_instance_uid, []).append(view.frame)
    datasets = [open_dataset(file, with_pixels=False).dataset for file in scan.files]
    by_uid = {text(dataset, "SOPInstanceUID"): dataset for dataset in datasets}
    return [SourceImage(by_uid[uid], tuple(sorted(used))) for uid, used in frames.items()]


def _instance(
    kind: str, series_number: int, scan: BoneScan, result: StudyResult, now: datetime
) -> ResultInstance:
    software = f"bs-client {version('bs-client')}"
    entropy: Sequence[str] = (
        *(kind, software, result.model_sha256, scan.study_uid, scan.pixel_sha256),
        *(scan.anterior.sop_instance_uid, scan.posterior.sop_instance_uid),
    )
    return ResultInstance(
        series_instance_uid=generate_uid(entropy_srcs=["series", *entropy]),
        series_number=series_number,
        series_description=f"AI {kind}, research: not for diagnosis",
        sop_instance_uid=generate_uid(entropy_srcs=["instance", *entropy]),
        software_versions=software,
        content_date_time=now,
    )


def _derivation(result: StudyResult) -> str:
    return (
        f"Grad-CAM of the bone-scan model of study {result.model_name}, manifest SHA-256 "
        f"{result.model_sha256}, laid over both views. Probability of bone metastases "
        f"{result.probability:.3f}, threshold {result.threshold:g}."
    )
