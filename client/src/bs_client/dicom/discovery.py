"""Find the nuclear medicine studies under a folder by reading headers only."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
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
    roots = [folder] if isinstance(folder, Path) else list(folder)
    files = list(dict.fromkeys(file for root in roots for file in _walk(root)))
    studies: dict[str | Path, StudyFiles] = {}
    verdicts: list[FileVerdict] = []
    for done, file in enumerate(files, start=1):
        try:
            with quiet_pydicom():
                found = _classify(file)
        except ScanRefused as refusal:
            verdicts.append(FileVerdict(file, refusal.refusal, reason=str(refusal)))
        else:
            _join(studies, found)
        if progress is not None:
            progress(done, len(files))
    return StudyIndex(tuple(studies.values()), tuple(verdicts))


def _classify(file: Path) -> StudyFiles:
    """Give a file as a study of one; raises ScanRefused if it is no nuclear medicine object."""
    opened = open_dataset(file, with_pixels=False)
    dataset = opened.dataset
    if modality(dataset) != "NM":
        admit(header_of(file, opened))
    return StudyFiles(text(dataset, "StudyInstanceUID"), text(dataset, "PatientID"), (file,))


def _join(studies: dict[str | Path, StudyFiles], found: StudyFiles) -> None:
    key = found.study_uid or found.files[0]
    earlier = studies.get(key)
    if earlier is None:
        studies[key] = found
        return
    patient_id = earlier.patient_id or found.patient_id
    studies[key] = StudyFiles(found.study_uid, patient_id, (*earlier.files, *found.files))


def _walk(root: Path) -> Iterator[Path]:
    if not root.is_dir():
        yield root
        return
    seen: set[tuple[int, int]] = set()
    for place, folders, names in os.walk(root, followlinks=True):
        status = Path(place).stat()
        if (status.st_dev, status.st_ino) in seen:  # a link back into the tree
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders.sort()
        yield from (Path(place) / name for name in sorted(names))
