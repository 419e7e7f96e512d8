"""Reading everything under a folder: headers first, then each study, by several processes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bs_client.check.crew import Crew
from bs_client.check.ledger import Ledger, rules_digest
from bs_client.check.reading import StudyRecord, Task, lost_record, read_record
from bs_client.check.source import Source
from bs_client.dicom.codes import Refusal, refused
from bs_client.dicom.discovery import (
    StudyFiles,
    classify_file,
    group_by_study,
    list_files,
)
from bs_client.dicom.study import FileVerdict

Progress = Callable[[str, int, int], None]  # what is read, how many done, how many in all
PICTURES = "pictures"


def _no_progress(what: str, done: int, total: int) -> None:
    """Say nothing."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a folder holds.

    studies : in the order of their first files.
    others : verdicts on the files that belong to no study.
    remembered : number of studies that were not decoded again.
    """

    studies: tuple[StudyRecord, ...]
    others: tuple[FileVerdict, ...]
    remembered: int

    @property
    def verdicts(self) -> tuple[FileVerdict, ...]:
        """Give the verdict on every file, by path."""
        of_studies = (verdict for study in self.studies for verdict in study.verdicts)
        return tuple(sorted((*of_studies, *self.others), key=lambda verdict: verdict.file))


def inspect(source: Source, crew: Crew, *, progress: Progress = _no_progress) -> Inspection:
    """Read every file under the source's folder, as training will.

    An interrupted inspection goes on where it was when it is started again.

    Raises
    ------
    OSError if the cache cannot be written; files that cannot be read have a verdict.
    """
    ledger = Ledger(source.cache, rules_digest(source.ingest, source.settings))
    pictures = source.cache / PICTURES
    pictures.mkdir(mode=0o700, exist_ok=True)
    finished = False
    try:
        index = group_by_study(_classify(source.scans, ledger, crew, progress))
        tasks = [Task(study, source.ingest, source.settings, pictures) for study in index.studies]
        records, remembered = _read(tasks, ledger, crew, progress)
        finished = True
    finally:
        ledger.save(finished=finished)
    _forget_pictures(pictures, records)
    return Inspection(tuple(records), index.verdicts, remembered)


def _classify(
    scans: Path, ledger: Ledger, crew: Crew, progress: Progress
) -> list[StudyFiles | FileVerdict]:
    files = list_files(scans)
    found = {file: ledger.find_file(file) for file in files}
    unread = [file for file in files if found[file] is None]

    told = _counter("headers", len(files), progress)

    def done(file: Path, result: StudyFiles | FileVerdict | None) -> None:
        found[file] = result
        if result is not None:
            ledger.keep_file(file, result)
        told(1)

    told(len(files) - len(unread))
    crew.run(classify_file, unread, done=done)
    return [found[file] or _lost_file(file) for file in files]


def _counter(what: str, total: int, progress: Progress) -> Callable[[int], None]:
    """Give a function that tells how many are done when it is told how many more are."""
    finished = 0

    def told(more: int) -> None:
        nonlocal finished
        finished += more
        progress(what, finished, total)

    return told


def _lost_file(file: Path) -> FileVerdict:
    refusal = refused(Refusal.E_NOT_DICOM, "the reading process ended")
    return FileVerdict(file, refusal.refusal, (), str(refusal))


def _read(
    tasks: list[Task], ledger: Ledger, crew: Crew, progress: Progress
) -> tuple[list[StudyRecord], int]:
    found = {task: ledger.find_study(task.study, task.pictures) for task in tasks}
    unread = [task for task in tasks if found[task] is None]

    told = _counter("scans", len(tasks), progress)

    def done(task: Task, result: StudyRecord | None) -> None:
        found[task] = result or lost_record(task.study)
        if result is not None:
            ledger.keep_study(task.study, result)
        told(1)

    told(len(tasks) - len(unread))
    crew.run(read_record, unread, done=done)
    records = [record for record in found.values() if record is not None]
    return records, len(tasks) - len(unread)


def _forget_pictures(pictures: Path, records: list[StudyRecord]) -> None:
    """Remove the pictures of scans that are no longer there."""
    current = {record.scan.picture for record in records if record.scan is not None}
    for file in pictures.iterdir():
        if file.name not in current:
            file.unlink(missing_ok=True)
