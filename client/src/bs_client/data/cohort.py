"""Table 1 of a study for one site: who the scans belong to, by split and class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from bs_client.data.labels import Sex, Split
from bs_client.data.manifest import Entry
from bs_common.architecture import CLASSES

HEADINGS = ("split", "class", "scans", "patients", "age, median (IQR)", "sex", "primary")


@dataclass(frozen=True, slots=True)
class AgeSummary:
    """Median and quartiles of the stated ages in years; `stated` scans have one."""

    stated: int
    median: float
    lower_quartile: float
    upper_quartile: float


@dataclass(frozen=True, slots=True)
class CohortGroup:
    """The scans of one split and class.

    split, label : None for scans that have no split yet.
    age : None where no age is stated.
    sex : number of scans by sex, in the order of `Sex`; scans without one are not counted.
    primary : number of scans by primary tumour, commonest first; likewise.
    """

    split: Split | None
    label: bool
    scans: int
    patients: int
    age: AgeSummary | None
    sex: tuple[tuple[Sex, int], ...]
    primary: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class CohortTable:
    """The groups that have scans: by split (train, validation, external), positive first."""

    groups: tuple[CohortGroup, ...]


def describe_cohort(entries: Sequence[Entry]) -> CohortTable:
    """Count a site's entries; age, sex and primary are per scan, as the paper's table is.

    No entries give a table without groups.
    """
    cells = [(split, label) for split in (*Split, None) for label in (True, False)]
    groups = []
    for split, label in cells:
        chosen = [entry for entry in entries if entry.split == split and entry.label == label]
        if chosen:
            groups.append(_describe_group(split, label, chosen))
    return CohortTable(tuple(groups))


def count_cells(entries: Sequence[Entry]) -> dict[str, int]:
    """Count the scans of every split and class, under the contract's names: ``train.metastasis``.

    These are all the counts of a cohort that may leave the site.
    """
    found = Counter((entry.split, entry.label) for entry in entries)
    return {
        f"{split}.{name}": found[split, bool(row)]
        for split in Split
        for row, name in enumerate(CLASSES)
    }


def _describe_group(split: Split | None, label: bool, entries: Sequence[Entry]) -> CohortGroup:
    sexes = Counter(entry.sex for entry in entries)
    # Spelling differs by line ("Prostate", "prostate"); the case is not the tumour.
    primaries = Counter(entry.primary.casefold() for entry in entries if entry.primary)
    return CohortGroup(
        split=split,
        label=label,
        scans=len(entries),
        patients=len({entry.patient_id for entry in entries}),
        age=_summarise_ages(entry.age for entry in entries),
        sex=tuple((sex, sexes[sex]) for sex in Sex if sexes[sex]),
        primary=tuple(sorted(primaries.items(), key=lambda item: (-item[1], item[0]))),
    )


def _summarise_ages(ages: Iterable[float | None]) -> AgeSummary | None:
    stated = [age for age in ages if age is not None]
    if not stated:
        return None
    lower, median, upper = np.quantile(stated, (0.25, 0.5, 0.75)).tolist()
    return AgeSummary(len(stated), median, lower, upper)


def table_rows(table: CohortTable) -> tuple[tuple[str, ...], ...]:
    """Write the table as texts under `HEADINGS`, one row a group, for a terminal or a file."""
    return tuple(
        (
            group.split or "not assigned",
            "metastasis" if group.label else "no metastasis",
            str(group.scans),
            str(group.patients),
            _age_text(group.age),
            _counts_text(group.sex),
            _counts_text(group.primary),
        )
        for group in table.groups
    )


def _age_text(age: AgeSummary | None) -> str:
    if age is None:
        return "not stated"
    return f"{age.median:.0f} ({age.lower_quartile:.0f}-{age.upper_quartile:.0f})"


def _counts_text(counts: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{word} {count}" for word, count in counts) or "not stated"
