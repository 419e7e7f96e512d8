"""Which scans the readers see: drawn from the accepted ones, or taken from a list."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from bs_client.data.labels import Split
from bs_client.data.manifest import Entry
from bs_common.errors import DataError
from bs_common.randomness import generator


@dataclass(frozen=True, slots=True)
class Sample:
    """The scans of a reader study, each in the order of its case codes.

    practice : read before the others and left out of the analysis.
    """

    cases: tuple[Entry, ...]
    practice: tuple[Entry, ...]


def eligible_entries(
    entries: Sequence[Entry], *, excluded: Collection[str] = ()
) -> tuple[Entry, ...]:
    """Give the scans that no model was trained on and nobody excluded, by study UID."""
    unseen = (Split.EXTERNAL, None)
    return tuple(
        entry for entry in entries if entry.split in unseen and entry.study_uid not in set(excluded)
    )


def draw_sample(
    entries: Sequence[Entry], *, cases_with: int, cases_without: int, practice: int, seed: int
) -> Sample:
    """Draw scans with and without metastasis, at most one of each patient, and practice scans.

    A second scan of a patient would be no new case; practice scans are of other patients. The
    order, and with it the case code, tells neither class nor place in the labels file.

    Raises
    ------
    DataError
        Fewer patients with or without metastasis than asked for.
    """
    rng = generator(seed, "reader-study", "sample")
    order = rng.permutation(len(entries))
    one_each = list({entries[k].patient_id: entries[k] for k in order}.values())
    positives = [entry for entry in one_each if entry.label]
    negatives = [entry for entry in one_each if not entry.label]
    needed = (cases_with + (practice + 1) // 2, cases_without + practice // 2)
    if len(positives) < needed[0] or len(negatives) < needed[1]:
        raise DataError(
            f"{len(positives)} patients with and {len(negatives)} without metastasis can be "
            f"drawn, expected at least {needed[0]} and {needed[1]} ({practice} for practice)",
            remedy="Ask for fewer cases with --cases or --practice, or exclude fewer scans.",
        )
    chosen = positives[:cases_with] + negatives[:cases_without]
    spare = positives[cases_with : needed[0]] + negatives[cases_without : needed[1]]
    return Sample(
        cases=tuple(chosen[k] for k in rng.permutation(len(chosen))),
        practice=tuple(spare[k] for k in rng.permutation(len(spare))),
    )


def listed_sample(
    entries: Sequence[Entry], study_uids: Sequence[str], *, practice: int, seed: int
) -> Sample:
    """Take the scans of a list as cases, in a random order, and draw practice scans beside them.

    Raises
    ------
    DataError
        A listed study is no accepted, labelled scan, or is listed twice; one class is missing; or
        too few patients are left for practice.
    """
    by_uid = {entry.study_uid: entry for entry in entries}
    absent = sum(uid not in by_uid for uid in study_uids)
    twice = len(study_uids) - len(set(study_uids))
    if absent or twice:
        raise DataError(
            f"{absent} listed studies are no accepted scan with a label, {twice} are listed twice",
            remedy="Compare the list with `bs-client check`; it shows what was accepted.",
        )
    listed = [by_uid[uid] for uid in study_uids]
    if len({entry.label for entry in listed}) < 2:
        raise DataError(
            "the list holds scans of one class only",
            remedy="List scans with and without metastasis.",
        )
    patients = {entry.patient_id for entry in listed}
    others = [entry for entry in entries if entry.patient_id not in patients]
    drawn = draw_sample(others, cases_with=0, cases_without=0, practice=practice, seed=seed)
    order = generator(seed, "reader-study", "list").permutation(len(listed))
    return Sample(tuple(listed[k] for k in order), drawn.practice)
