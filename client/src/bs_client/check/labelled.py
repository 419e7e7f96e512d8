"""Labels and accepted scans brought together as training does, and why training could not start."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bs_client.check.reading import CheckedScan
from bs_client.check.source import Source
from bs_client.data.cohort import CohortTable, describe_cohort
from bs_client.data.labels import LabelTable, Split, read_labels
from bs_client.data.manifest import Entry, Manifest, match
from bs_client.data.splits import assign_splits
from bs_common.errors import BoneScanError, DataError
from bs_common.settings import Role


@dataclass(frozen=True, slots=True)
class Labelled:
    """What the labels file makes of the accepted scans.

    rows : lines of the labels file, 0 if it cannot be used.
    manifest : None if labels and scans cannot be brought together.
    cohort : by split and class; without splits where no study says how to draw them.
    reasons : why training could not start, each with what to do; empty if it could.
    """

    rows: int
    manifest: Manifest | None
    cohort: CohortTable
    reasons: tuple[str, ...]


def bring_together(labels: Path, scans: Sequence[CheckedScan], source: Source) -> Labelled:
    """Match labels and scans, give each its split, and say what is missing for training."""
    rows = 0
    manifest = None
    try:
        table = read_labels(labels)
        rows = len(table.rows)
        # As training keeps them: one scan for each study UID.
        manifest = match(table, list({scan.study_uid: scan for scan in scans}.values()))
        entries = _split(manifest.entries, table, source)
    except DataError as error:
        given = manifest.entries if manifest else ()
        return Labelled(rows, manifest, describe_cohort(given), (in_words(error),))
    # Without a study a draw would be an invention: the table shows the splits that were given.
    shown = entries if source.role else manifest.entries
    return Labelled(rows, manifest, describe_cohort(shown), tuple(find_shortages(entries)))


def in_words(error: BoneScanError) -> str:
    """Give an error with its remedy as one text."""
    return f"{error} {error.remedy}".strip()


def _split(entries: Sequence[Entry], table: LabelTable, source: Source) -> tuple[Entry, ...]:
    return assign_splits(
        entries,
        role=source.role or stated_role(table),
        fraction=source.settings.validation_fraction,
        seed=source.settings.seed,
        site=source.site,
    )


def stated_role(table: LabelTable) -> Role:
    """Tell from the labels alone whether a site would train or evaluate."""
    external = all(row.split is Split.EXTERNAL for row in table.rows)
    return "evaluate" if external else "train"


def find_shortages(entries: Sequence[Entry]) -> list[str]:
    """Say which scans training or judging would miss."""
    found = Counter((entry.split, entry.label) for entry in entries)
    external = any(split is Split.EXTERNAL for split, _ in found)
    train = any(split is Split.TRAIN for split, _ in found)
    reasons = [
        f"There is no {split} scan {word} metastasis; both classes are needed."
        for split in ((Split.TRAIN,) if train or not external else (Split.EXTERNAL,))
        for label, word in ((True, "with"), (False, "without"))
        if not found[split, label]
    ]
    if train and not (found[Split.VALIDATION, True] or found[Split.VALIDATION, False]):
        reasons.append("There is no validation scan; give some patients this split.")
    return reasons
