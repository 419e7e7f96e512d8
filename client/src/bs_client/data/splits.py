"""Which scans train, validate or test: whole patients, given by the site or drawn."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bs_client.data.labels import Split
from bs_client.data.manifest import Entry
from bs_common.errors import DataError
from bs_common.randomness import generator
from bs_common.settings import Role


def assign_splits(
    entries: Sequence[Entry], *, role: Role, fraction: float, seed: int, site: str
) -> tuple[Entry, ...]:
    """Give every entry its split, so that no patient is in two.

    An evaluating site's scans are all external. A training site's own splits are honoured; where
    it gives none, validation patients are drawn, the others train.

    Parameters
    ----------
    entries : labelled scans of the site, in any order; the draw does not depend on it.
    fraction : share of the patients that validate, 0 to 0.5; half of them with metastasis.
    seed, site : name the draw, with the purpose "validation".

    Raises
    ------
    DataError
        No entries; splits for some entries only; a patient in two splits; or, for a draw, fewer
        than two patients with or without metastasis.
    """
    if not entries:
        raise DataError(
            "0 labelled scans, expected at least 1",
            remedy="Check that the labels file names the studies or patients of the data folder.",
        )
    if role == "evaluate":
        return tuple(replace(entry, split=Split.EXTERNAL) for entry in entries)
    if any(entry.split is not None for entry in entries):
        _check_given(entries)
        return tuple(entries)
    validating = draw_validation_patients(entries, fraction=fraction, seed=seed, site=site)
    return tuple(
        replace(entry, split=Split.VALIDATION if entry.patient_id in validating else Split.TRAIN)
        for entry in entries
    )


def _check_given(entries: Sequence[Entry]) -> None:
    missing = sum(entry.split is None for entry in entries)
    if missing:
        raise DataError(
            f"{missing} of {len(entries)} labelled scans have no split, expected all or none",
            remedy="Fill the split column for every row, or leave it empty everywhere.",
        )
    splits_by_patient: dict[str, set[Split | None]] = defaultdict(set)
    for entry in entries:
        splits_by_patient[entry.patient_id].add(entry.split)
    torn = sum(len(splits) > 1 for splits in splits_by_patient.values())
    if torn:
        raise DataError(
            f"{torn} of {len(splits_by_patient)} patients are in more than one split, expected 0",
            remedy="Put all scans of a patient into one split of the labels file. If an "
            "anonymised export gave several patients one id, add a patient_id column.",
        )


def draw_validation_patients(
    entries: Sequence[Entry], *, fraction: float, seed: int, site: str
) -> frozenset[str]:
    """Draw the patients that validate: as many with as without metastasis, as in the paper.

    A patient with a positive scan counts as positive. Each class gives
    ``max(1, round(fraction * patients / 2))`` patients, but never more than half of its own, so
    that a rare class is not spent on validation.

    Raises
    ------
    DataError
        A class has fewer than two patients.
    """
    positive = {entry.patient_id for entry in entries if entry.label}
    negative = {entry.patient_id for entry in entries} - positive
    fewest = min(len(positive), len(negative))
    if fewest < 2:
        raise DataError(
            f"{len(positive)} patients with and {len(negative)} without metastasis, expected at "
            "least 2 of each, one to train and one to validate",
            remedy="Add labelled scans of the missing class. If an anonymised export gave "
            "several patients one id, add a patient_id column to the labels file.",
        )
    wanted = max(1, round(fraction * (len(positive) + len(negative)) / 2))
    draw = generator(seed, site, "validation")
    chosen = [
        draw.choice(np.array(sorted(patients)), min(wanted, fewest // 2), replace=False)
        for patients in (positive, negative)
    ]
    return frozenset(np.concatenate(chosen).tolist())
