"""What a labels file says by itself: the cohort of a study in which every line had its scan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bs_client.check.labelled import find_shortages, in_words, stated_role
from bs_client.check.report import cohort_as_json
from bs_client.data.cohort import CohortTable, count_cells, describe_cohort
from bs_client.data.labels import KeyColumn, LabelRow, Split, read_labels
from bs_client.data.manifest import Entry, match
from bs_client.data.splits import assign_splits
from bs_common.errors import DataError

BY_PATIENT = "The file is by patient: each line is counted once, however many scans it stands for."
WITHOUT_SPLITS = "No line has a split: the study will draw the validation scans, by patient."


@dataclass(frozen=True, slots=True)
class LabelsAlone:
    """What became of the lines of a labels file.

    entries : one for each line.
    reasons : why training could not start with such scans; empty if it could.
    """

    keyed_by: KeyColumn
    entries: tuple[Entry, ...]
    reasons: tuple[str, ...]

    @property
    def cohort(self) -> CohortTable:
        """Table 1 of these lines."""
        return describe_cohort(self.entries)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a reader of the counts should know."""
        by_patient = (BY_PATIENT,) if self.keyed_by == "patient_id" else ()
        return by_patient if _has_splits(self.entries) else (*by_patient, WITHOUT_SPLITS)


@dataclass(frozen=True, slots=True)
class _Line:
    """A line in the place of its scan."""

    study_uid: str
    patient_id: str
    pixel_sha256: str


def read_labels_alone(path: Path) -> LabelsAlone:
    """Read a labels file and split it as the study would, without looking for scans.

    A file without splits stays without: which patients validate is drawn with the study's seed.

    Raises
    ------
    DataError
        The file cannot be read, or has faults; the message names all of them.
    """
    table = read_labels(path)
    entries = match(table, [_line(row) for row in table.rows]).entries
    if not _has_splits(entries):
        return LabelsAlone(table.keyed_by, entries, ())
    try:
        split = assign_splits(entries, role=stated_role(table), fraction=0.0, seed=0, site="")
    except DataError as error:
        return LabelsAlone(table.keyed_by, entries, (in_words(error),))
    return LabelsAlone(table.keyed_by, split, tuple(find_shortages(split)))


def flow_lines(found: LabelsAlone) -> list[str]:
    """Say in lines how the file's lines go into the splits."""
    cells = count_cells(found.entries)
    patients = len({entry.patient_id for entry in found.entries})
    lines = [f"{len(found.entries)} labelled scans of {patients} patients"]
    for split in Split:
        with_, without = cells[f"{split}.metastasis"], cells[f"{split}.no_metastasis"]
        if with_ or without:
            counts = f"{with_} with metastasis, {without} without"
            lines.append(f"  {split:<10} {with_ + without:>5}   {counts}")
    return lines


def as_json(found: LabelsAlone) -> dict[str, object]:
    """Give the result as plain values, without any name of a study or patient."""
    return {
        "scans": len(found.entries),
        "patients": len({entry.patient_id for entry in found.entries}),
        "cells": count_cells(found.entries),
        "cohort": cohort_as_json(found.cohort),
        "reasons": list(found.reasons),
        "remarks": list(found.remarks),
    }


def _line(row: LabelRow) -> _Line:
    name = f"line {row.line}"
    return _Line(row.study_uid or name, row.patient_id or "", name)


def _has_splits(entries: Sequence[Entry]) -> bool:
    return any(entry.split is not None for entry in entries)
