"""One study read as training reads it: the verdict on each file, and a small picture of it."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture

from bs_client.data.dataset import image_key
from bs_client.data.preprocess import prepare
from bs_client.data.resize import resize
from bs_client.dicom.codes import Refusal, refused
from bs_client.dicom.discovery import StudyFiles
from bs_client.dicom.scan import BoneScan
from bs_client.dicom.settings import IngestSettings
from bs_client.dicom.study import FileVerdict, inspect_study
from bs_common.files import write_atomic
from bs_common.settings import StudySettings

# Half the paper's 512 rows; both views beside each other are then 256 pixels wide.
PICTURE_ROWS = 256
MAX_PICTURE_COLUMNS = 512


@dataclass(frozen=True, slots=True)
class Task:
    """A study to be read, and where its picture goes."""

    study: StudyFiles
    ingest: IngestSettings
    settings: StudySettings
    pictures: Path


@dataclass(frozen=True, slots=True)
class CheckedScan:
    """What is remembered of an accepted scan; its counts are not.

    files : the one or two files that hold its views.
    picture : name of its file among the pictures.
    """

    files: tuple[Path, ...]
    study_uid: str
    patient_id: str
    pixel_sha256: str
    synthetic: bool
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    picture: str


@dataclass(frozen=True, slots=True)
class StudyRecord:
    """What became of one study.

    refusal : `E_...` code that decided, empty where the study was accepted.
    """

    verdicts: tuple[FileVerdict, ...]
    refusal: str
    scan: CheckedScan | None


def read_record(task: Task) -> StudyRecord:
    """Read a study, prepare it for the network and keep its picture.

    Raises OSError if the picture cannot be written; what is wrong with a scan raises nothing.
    """
    reading = inspect_study(task.study.files, task.ingest)
    if reading.scan is None:
        code = reading.refusal.refusal if reading.refusal else ""
        return StudyRecord(reading.verdicts, code, None)
    scan = reading.scan
    checked = CheckedScan(
        files=scan.files,
        study_uid=task.study.study_uid,
        patient_id=scan.patient_id,
        pixel_sha256=scan.pixel_sha256,
        synthetic=scan.synthetic,
        warnings=scan.warnings,
        notes=scan.notes,
        picture=_keep_picture(scan, task),
    )
    return StudyRecord(reading.verdicts, "", checked)


def _keep_picture(scan: BoneScan, task: Task) -> str:
    name = f"{image_key(scan.pixel_sha256, task.settings)}.png"
    if (task.pictures / name).exists():
        return name
    content = io.BytesIO()
    Picture.fromarray(picture_of(scan, task.settings)).save(content, format="PNG", compress_level=1)
    write_atomic(task.pictures / name, content.getvalue(), mode=0o600)
    return name


def picture_of(scan: BoneScan, settings: StudySettings) -> NDArray[np.uint8]:
    """Draw the network input, both views, small: 0 is 255 (white), 1 is 0 (black).

    The square root is shown, because next to a full bladder a linear scale leaves bone white.

    Returns
    -------
    picture : (256, columns) uint8, in the proportions of the network input.
    """
    height, width = settings.view_height, settings.view_width
    prepared = prepare(
        scan.anterior.counts,
        scan.posterior.counts,
        height=height,
        width=width,
        profile=settings.preprocessing,
    )
    columns = min(MAX_PICTURE_COLUMNS, max(2, round(PICTURE_ROWS * 2 * width / height)))
    small = resize(prepared.image, PICTURE_ROWS, columns)
    grey: NDArray[np.uint8] = np.rint(255 * (1 - np.sqrt(small))).astype(np.uint8)
    return grey


def lost_record(study: StudyFiles) -> StudyRecord:
    """Give the record of a study that ended the process that read it."""
    refusal = refused(Refusal.E_DECODE, "the reading process ended")
    verdicts = [FileVerdict(file, refusal.refusal, (), str(refusal)) for file in study.files]
    return StudyRecord(tuple(verdicts), refusal.refusal, None)
