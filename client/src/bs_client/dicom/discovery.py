"""Find the nuclear medicine studies under a folder by reading headers only."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bs_client.dicom.admission import admit
from bs_client.dicom.dataset_file import open_dataset, quiet_pydicom
from bs_client.dicom.fields import text
from bs_client.dicom.header import header_of, modality
from bs_client.dicom.study import FileVerdict
from bs_common.errors import ScanRefused

Progress = Callable[[int, int], None]  # files done, files in all


@dataclass(frozen=True, slots=True)
class StudyFiles:
    """The nuclear medicine objects of one study, usable or not.

    study_uid, patient_id : empty where the objects do not state them; stay at the site.
    """

    study_uid: str
    patient_id: str
    files: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class StudyIndex:
    """What a folder holds.

    studies : in the order of their first files.
    verdicts : on the files that belong to no study: no DICOM, no image, another modality. A file
        is either here or in one study.
    """

    studies: tuple[StudyFiles, ...]
    verdicts: tuple[FileVerdict, ...]


def find_studies(folder: Path | Sequence[Path], *, progress: Progress | None = None) -> StudyIndex:
    """Group the files under one or more folders by study.

    folder : a folder, a file, or several; any file names. Links are followed once.
    progress : called after each file.

    No file is an error: what is no nuclear medicine object gets its `E_...` verdict. An object
    without a Study Instance UID is a study of its own, since nothing says which it belongs to.
    """
    files = list_files(folder)
    classified: list[StudyFiles | FileVerdict] = []
    for done, file in enumerate(files, start=1):
        classified.append(classify_file(file))
        if progress is not None:
            progress(done, len(files))
    return group_by_study(classified)


def list_files(folder: Path | Sequence[Path]) -> tuple[Path, ...]:
    """Give every file under the folders once; a path that cannot be entered is itself a file."""
    roots = [folder] if isinstance(folder, Path) else list(folder)
    return tuple(dict.fromkeys(file for root in roots for file in _walk(root)))


def classify_file(file: Path) -> StudyFiles | FileVerdict:
    """Give a nuclear medicine object as a study of one file, anything else its verdict."""
    study_uid = ""
    try:
        with quiet_pydicom():
            opened = open_dataset(file, with_pixels=False)
            study_uid = text(opened.dataset, "StudyInstanceUID")
            if modality(opened.dataset) != "NM":
                admit(header_of(file, opened))
            return StudyFiles(study_uid, text(opened.dataset, "PatientID"), (file,))
    except ScanRefused as refusal:
        return FileVerdict(file, refusal.refusal, reason=str(refusal), study_uid=study_uid)


def group_by_study(classified: Iterable[StudyFiles | FileVerdict]) -> StudyIndex:
    """Join the objects of each study, in the order given."""
    studies: dict[str | Path, StudyFiles] = {}
    verdicts: list[FileVerdict] = []
    for found in classified:
        if isinstance(found, FileVerdict):
            verdicts.append(found)
        else:
            _join(studies, found)
    return StudyIndex(tuple(studies.values()), tuple(verdicts))


def _join(studies: dict[str | Path, StudyFiles], found: StudyFiles) -> None:
    key = found.study_uid or found.files[0]
    earlier = studies.get(key)
    if earlier is None:
        studies[key] = found
        return
    patient_id = earlier.patient_id or found.patient_id
    studies[key] = StudyFiles(found.study_uid, patient_id, (*earlier.files, *found.files))


def _walk(root: Path) -> Iterator[Path]:
    if _identity(root) is None or not root.is_dir():
        yield root
        return
    seen: set[tuple[int, int]] = set()
    closed: list[Path] = []  # folders that this user may not read; passed on, not passed over
    for place, folders, names in os.walk(
        root, followlinks=True, onerror=lambda error: closed.append(Path(str(error.filename)))
    ):
        identity = _identity(Path(place))
        if identity is None or identity in seen:  # just removed, or a link back into the tree
            folders.clear()
            continue
        seen.add(identity)
        folders.sort()
        yield from (Path(place) / name for name in sorted(names))
    yield from closed


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
