"""Drawing the cases of a study."""

from __future__ import annotations

import pytest

from bs_client.data.labels import Split
from bs_client.data.manifest import Entry
from bs_client.reader.sample import Sample, draw_sample, eligible_entries, listed_sample
from bs_common.errors import DataError


def entries(patients: int = 20, *, split: Split | None = None) -> list[Entry]:
    """Patients 0, 1, ... with two scans each; odd ones have metastases."""
    return [
        Entry(f"{patient}.{scan}", f"p{patient}", bool(patient % 2), f"{patient}-{scan}", split)
        for patient in range(patients)
        for scan in (1, 2)
    ]


def draw(seed: int = 1, **counts: int) -> Sample:
    wanted = {"cases_with": 6, "cases_without": 7, "practice": 3, **counts}
    return draw_sample(entries(), seed=seed, **wanted)


def test_a_sample_has_the_numbers_asked_for_and_no_patient_twice() -> None:
    sample = draw()

    assert [sum(e.label for e in sample.cases), len(sample.cases)] == [6, 13]
    assert len(sample.practice) == 3
    everybody = [entry.patient_id for entry in (*sample.cases, *sample.practice)]
    assert len(set(everybody)) == 16


def test_the_seed_decides_the_sample() -> None:
    assert draw(1) == draw(1)
    assert draw(1) != draw(2)


def test_the_order_of_cases_does_not_tell_their_class() -> None:
    orders = [[entry.label for entry in draw(seed).cases] for seed in range(200)]

    shares = [sum(order[place] for order in orders) / 200 for place in range(13)]
    assert all(abs(share - 6 / 13) < 0.15 for share in shares)


def test_too_few_patients_are_explained() -> None:
    with pytest.raises(DataError, match=r"10 patients with and 10 without .* at least 11 and 8"):
        draw(cases_with=9)


def test_scans_of_training_and_excluded_scans_are_not_eligible() -> None:
    given = [*entries(2, split=Split.EXTERNAL), *entries(4, split=Split.TRAIN)]

    chosen = eligible_entries(given, excluded={"0.1"})

    assert [entry.study_uid for entry in chosen] == ["0.2", "1.1", "1.2"]


def test_a_list_is_taken_whole_and_practice_is_of_other_patients() -> None:
    sample = listed_sample(entries(), ["3.1", "4.2", "5.1"], practice=4, seed=1)

    assert {entry.study_uid for entry in sample.cases} == {"3.1", "4.2", "5.1"}
    assert not {"p3", "p4", "p5"} & {entry.patient_id for entry in sample.practice}


@pytest.mark.parametrize(
    ("uids", "reason"),
    [
        (["1.1", "2.1", "9.9"], "1 listed studies are no accepted scan"),
        (["1.1", "2.1", "1.1"], "1 are listed twice"),
        (["1.1", "3.1"], "one class only"),
    ],
)
def test_a_faulty_list_is_explained(uids: list[str], reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        listed_sample(entries(), uids, practice=0, seed=1)
