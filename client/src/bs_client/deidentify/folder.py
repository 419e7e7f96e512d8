"""Copy the usable scans of a folder without identifiers; what ingest refuses is not copied."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bs_client.data.labels import read_labels
from bs_client.deidentify.labels import LabelsCopy, copy_labels
from bs_client.deidentify.plan import SPARE, Progress, StudyPlan, essence, plan_copies
from bs_client.deidentify.private_folder import (
    MappingRow,
    open_pseudonyms,
    private_folder,
    write_mapping,
)
from bs_client.deidentify.profile import deidentified
from bs_client.deidentify.pseudonyms import Pseudonyms
from bs_client.dicom import IngestSettings, Refusal, inspect_study
from bs_client.dicom.dataset_file import PYDICOM_FAILURES, quiet_pydicom
from bs_common.errors import ConfigError, ScanRefused
from bs_common.files import write_atomic

NOT_THE_SAME = "E_DEIDENTIFY"
OWN_MEANINGS = {
    SPARE: "Another copy or pair of views of a study that was copied.",
    NOT_THE_SAME: "Without its identifiers the study could not be read in the same way.",
}


@dataclass(frozen=True, slots=True)
class Deidentified:
    """What was copied and what was not.

    not_copied : number of files by code: `E_...` of ingest; ``"spare"`` for a file of a copied
        study that is not of the views taken; ``"E_DEIDENTIFY"`` where a copy did not read as its
        original does.
    labels : None where no labels were given.
    mapping : who is who; stays at the site.
    """

    studies: int
    files: int
    not_copied: Mapping[str, int]
    labels: LabelsCopy | None
    mapping: Path


def deidentify_folder(
    source: Path,
    target: Path,
    *,
    labels: Path | None = None,
    private: Path | None = None,
    progress: Progress | None = None,
) -> Deidentified:
    """Write ``scans/<number>.dcm`` for every usable study of `source`, and ``labels.csv``.

    Every view is stated in the standard's codes, and each copied study is read again: its counts
    and views must be those of the original. `source` is read only; the same command again gives
    the same files.

    private : where salt and mapping go; by default beside `source`, one folder for each target.

    Raises
    ------
    ConfigError
        Source, target and private folder lie in one another, or the target holds other files.
    DataError
        The labels or a mask cannot be read.
    """
    secret = private_folder(source, target, private)
    table = read_labels(labels) if labels else None
    pseudonyms = open_pseudonyms(secret)
    plans, not_copied = plan_copies(source, pseudonyms, progress)
    labels_copy = copy_labels(table, [plan.names for plan in plans]) if table else None
    tables = labels_copy.files if labels_copy else {}
    _refuse_foreign_files(target, [*tables, *(name for plan in plans for name in plan.copies)])
    copied = [plan for plan in plans if _copy_study(plan, target, pseudonyms)]
    if len(copied) < len(plans):
        not_copied[NOT_THE_SAME] = sum(len(plan.views) for plan in plans if plan not in copied)
        labels_copy = copy_labels(table, [plan.names for plan in copied]) if table else None
    _write_all(target, labels_copy.files if labels_copy else {})
    rows = [row for plan in copied for row in _mapping(plan, source)]
    mapping = write_mapping(secret, rows)
    return Deidentified(len(copied), len(rows), dict(not_copied), labels_copy, mapping)


def meaning(code: str) -> str:
    """Say in words why files were not copied."""
    return OWN_MEANINGS[code] if code in OWN_MEANINGS else Refusal[code].meaning


def _copy_study(plan: StudyPlan, target: Path, pseudonyms: Pseudonyms) -> bool:
    """Write a study's files and read them again; leave none where it does not read the same."""
    try:
        with quiet_pydicom():
            contents = [deidentified(*one, pseudonyms) for one in plan.views.items()]
    except (ScanRefused, *PYDICOM_FAILURES):
        contents = []
    _write_all(target, dict(zip(plan.copies, contents, strict=False)))
    files = [target / name for name in plan.copies]
    scan = inspect_study(files, IngestSettings()).scan
    if scan is not None and essence(scan) == plan.essence:
        return True
    for file in files:
        file.unlink(missing_ok=True)
    return False


def _refuse_foreign_files(target: Path, own: Iterable[str]) -> None:
    found = [path for path in target.rglob("*") if not path.is_dir()]
    foreign = {path.relative_to(target).as_posix() for path in found}.difference(own)
    if foreign:
        raise ConfigError(
            f"The target holds {len(foreign)} files that are not of this copy.",
            remedy="Choose an empty folder or remove the old copy; the pseudonyms stay the same.",
        )


def _write_all(target: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        write_atomic(target / name, content)


def _mapping(plan: StudyPlan, source: Path) -> list[MappingRow]:
    return [
        MappingRow(
            file=str(file.relative_to(source)),
            study_uid=plan.names.study_uid,
            patient_id=plan.names.patient_id,
            copy=copy,
            copy_study_uid=plan.names.copy_study_uid,
            copy_patient_id=plan.names.copy_patient_id,
        )
        for file, copy in zip(plan.views, plan.copies, strict=True)
    ]
