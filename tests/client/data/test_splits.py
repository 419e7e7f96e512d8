from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bs_client.data.labels import Split
from bs_client.data.manifest import Entry
from bs_client.data.splits import assign_splits
from bs_common.errors import DataError
from bs_common.settings import Role


def entry(number: int, patient: str, label: bool, split: Split | None = None) -> Entry:
    return Entry(f"study {number}", patient, label, f"pixels {number}", split)


def cohort(positive: int, negative: int) -> tuple[Entry, ...]:
    """Make one scan a patient."""
    return tuple(
        entry(number, f"patient {number}", number < positive)
        for number in range(positive + negative)
    )


def assign(
    entries: tuple[Entry, ...], *, role: Role = "train", fraction: float = 0.12, seed: int = 7
) -> tuple[Entry, ...]:
    return assign_splits(entries, role=role, fraction=fraction, seed=seed, site="aachen")


def count(entries: tuple[Entry, ...], split: Split, label: bool) -> int:
    return sum(entry.split is split and entry.label is label for entry in entries)


# Patients with one to three scans, each scan with its own label, and at least two patients that
# have metastases and two that have none, so that a draw is possible.
patients_with_labels = st.lists(
    st.lists(st.booleans(), min_size=1, max_size=3), min_size=0, max_size=40
).map(lambda drawn: [[True], [True], [False], [False], *drawn])


def entries_of(patients: list[list[bool]]) -> tuple[Entry, ...]:
    return tuple(
        entry(10 * number + scan, f"patient {number}", label)
        for number, labels in enumerate(patients)
        for scan, label in enumerate(labels)
    )


@given(patients_with_labels, st.integers(0, 99), st.floats(0.01, 0.49))
def test_a_patient_never_appears_in_two_splits(
    patients: list[list[bool]], seed: int, fraction: float
) -> None:
    splits = defaultdict(set)
    for assigned in assign(entries_of(patients), seed=seed, fraction=fraction):
        splits[assigned.patient_id].add(assigned.split)

    assert all(len(own) == 1 for own in splits.values())


@given(patients_with_labels, st.integers(0, 99), st.floats(0.01, 0.49))
def test_validation_is_balanced_and_leaves_half_of_each_class_to_train(
    patients: list[list[bool]], seed: int, fraction: float
) -> None:
    assigned = assign(entries_of(patients), seed=seed, fraction=fraction)

    patients_by_class = {}
    for positive in (True, False):
        chosen = {
            f"patient {number}" for number, own in enumerate(patients) if any(own) is positive
        }
        validating = {
            entry.patient_id
            for entry in assigned
            if entry.patient_id in chosen and entry.split is Split.VALIDATION
        }
        patients_by_class[positive] = len(validating)
        assert 1 <= len(validating) <= len(chosen) / 2
    assert patients_by_class[True] == patients_by_class[False]


def test_the_papers_numbers_come_out_at_the_papers_share() -> None:
    # Aachen: 1019 scans, of which 58 + 58 validate.
    assigned = assign(cohort(235 + 58, 668 + 58), fraction=116 / 1019)

    assert count(assigned, Split.VALIDATION, label=True) == 58
    assert count(assigned, Split.VALIDATION, label=False) == 58
    assert count(assigned, Split.TRAIN, label=True) == 235
    assert count(assigned, Split.TRAIN, label=False) == 668


def test_a_patient_with_scans_of_both_labels_counts_as_positive_and_stays_whole() -> None:
    mixed = [
        entry(2 * number + scan, f"patient {number}", label=bool(scan))
        for number in range(4)
        for scan in (0, 1)
    ]
    entries = (*mixed, entry(90, "healthy", label=False), entry(91, "benign", label=False))

    assigned = assign(entries, fraction=0.4)

    assert count(assigned, Split.VALIDATION, label=True) == 1
    assert count(assigned, Split.VALIDATION, label=False) == 2  # the positive patient's, and one


def test_the_same_seed_draws_the_same_patients_in_any_order_of_the_entries() -> None:
    entries = cohort(20, 30)

    forward, backward = assign(entries), assign(entries[::-1])

    assert set(forward) == set(backward)
    assert [entry.study_uid for entry in forward] == [entry.study_uid for entry in entries]


def test_another_seed_draws_other_patients() -> None:
    entries = cohort(50, 50)

    assert assign(entries, seed=1) != assign(entries, seed=2)


def test_an_evaluating_site_has_external_scans_only() -> None:
    entries = (entry(1, "A", True, Split.TRAIN), entry(2, "B", False))

    assert {entry.split for entry in assign(entries, role="evaluate")} == {Split.EXTERNAL}


def test_given_splits_are_honoured() -> None:
    entries = (
        entry(1, "A", True, Split.VALIDATION),
        entry(2, "B", False, Split.TRAIN),
        entry(3, "C", False, Split.EXTERNAL),
    )

    assert assign(entries) == entries


def test_a_given_patient_in_two_splits_is_refused_by_count() -> None:
    entries = (
        entry(1, "Anna", True, Split.VALIDATION),
        entry(2, "Anna", True, Split.TRAIN),
        entry(3, "Bert", False, Split.TRAIN),
    )

    with pytest.raises(DataError, match="1 of 2 patients are in more than one split") as caught:
        assign(entries)
    assert "Anna" not in str(caught.value)


def test_splits_for_some_scans_only_are_refused() -> None:
    entries = (entry(1, "A", True, Split.TRAIN), entry(2, "B", False), entry(3, "C", False))

    with pytest.raises(DataError, match="2 of 3 labelled scans have no split"):
        assign(entries)


def test_a_single_positive_patient_cannot_be_shared_out() -> None:
    with pytest.raises(DataError, match="1 patients with and 5 without metastasis"):
        assign(cohort(1, 5))


@pytest.mark.parametrize("role", ["train", "evaluate"])
def test_a_site_without_labelled_scans_is_refused(role: Role) -> None:
    with pytest.raises(DataError, match="0 labelled scans"):
        assign((), role=role)
