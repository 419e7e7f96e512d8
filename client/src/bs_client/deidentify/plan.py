"""Decide which files of a folder are copied, under which names and numbers; nothing is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from bs_client.deidentify.pseudonyms import Pseudonyms
from bs_client.dicom import BoneScan, IngestSettings, StudyReading, find_studies, inspect_study
from bs_client.dicom.study import ACCEPTED
from bs_client.dicom.view_words import View

# An accepted file of a study of which another pair, or another copy of the pair, is taken.
SPARE = "spare"

Progress = Callable[[int, int], None]  # studies done, studies in all
Essence = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class StudyNames:
    """The names of one study before and after."""

    study_uid: str
    patient_id: str
    copy_study_uid: str
    copy_patient_id: str


@dataclass(frozen=True, slots=True)
class StudyPlan:
    """One study to copy.

    views : of the frames, by number from 1, of each file.
    essence : what ingest must find in the copy too.
    copies : new names of the files, in the same order, such as ``scans/0001.dcm``.
    """

    names: StudyNames
    views: Mapping[Path, Mapping[int, View]]
    essence: Essence
    copies: tuple[str, ...] = ()


def plan_copies(
    source: Path, pseudonyms: Pseudonyms, progress: Progress | None = None
) -> tuple[list[StudyPlan], Counter[str]]:
    """Read every study of a folder as training will.

    Returns the usable studies, and the number of all other files by `E_...` code or ``"spare"``.
    Files are numbered in the order of the pseudonyms, which says nothing about the originals.
    """
    index = find_studies(source)
    others = Counter(one.verdict for one in index.verdicts)
    plans: list[StudyPlan] = []
    for done, study in enumerate(index.studies, start=1):
        reading = inspect_study(study.files, IngestSettings())
        others.update(_others(reading))
        if reading.scan is not None:
            plans.append(_plan(reading.scan, pseudonyms))
        if progress is not None:
            progress(done, len(index.studies))
    return _numbered(plans), others


def essence(scan: BoneScan) -> Essence:
    """Give what a copy must share with its original: counts by view, spacing and frame."""
    views = ((one.spacing_mm, one.frame) for one in (scan.anterior, scan.posterior))
    return (scan.pixel_sha256, *views, scan.synthetic)


def _others(reading: StudyReading) -> Iterator[str]:
    """Give a code for each file of a study that is not of the scan."""
    taken = reading.scan.files if reading.scan else ()
    for one in reading.verdicts:
        if one.file not in taken:
            yield SPARE if one.verdict == ACCEPTED else one.verdict


def _plan(scan: BoneScan, pseudonyms: Pseudonyms) -> StudyPlan:
    names = StudyNames(
        study_uid=scan.study_uid,
        patient_id=scan.patient_id,
        copy_study_uid=pseudonyms.uid(scan.study_uid),
        copy_patient_id=pseudonyms.patient_id(scan.patient_id),
    )
    first, last = scan.files[0], scan.files[-1]  # the same where both views are in one object
    views: dict[Path, dict[int, View]] = {first: {}, last: {}}
    views[first][scan.anterior.frame] = View.ANTERIOR
    views[last][scan.posterior.frame] = View.POSTERIOR
    return StudyPlan(names, views, essence(scan))


def _numbered(plans: Sequence[StudyPlan]) -> list[StudyPlan]:
    numbers = count(1)
    ordered = sorted(plans, key=lambda plan: (plan.names.copy_study_uid, str(plan.essence)))
    return [
        replace(plan, copies=tuple(f"scans/{next(numbers):04d}.dcm" for _ in plan.views))
        for plan in ordered
    ]
