from bs_client.data.cohort import HEADINGS, AgeSummary, describe_cohort, table_rows
from bs_client.data.labels import Sex, Split
from bs_client.data.manifest import Entry


def positive(number: int, *, age: float | None = None, sex: Sex | None = None) -> Entry:
    return Entry(
        f"study {number}",
        f"patient {number // 2}",
        True,
        f"{number}",
        Split.TRAIN,
        age=age,
        sex=sex,
    )


def test_scans_and_patients_are_counted_by_split_and_class() -> None:
    entries = [
        Entry("1", "A", True, "1", Split.TRAIN),
        Entry("2", "A", True, "2", Split.TRAIN),
        Entry("3", "B", False, "3", Split.TRAIN),
        Entry("4", "C", False, "4", Split.EXTERNAL),
        Entry("5", "D", True, "5", None),
    ]

    groups = describe_cohort(entries).groups

    assert [(group.split, group.label, group.scans, group.patients) for group in groups] == [
        (Split.TRAIN, True, 2, 1),
        (Split.TRAIN, False, 1, 1),
        (Split.EXTERNAL, False, 1, 1),
        (None, True, 1, 1),
    ]


def test_every_scan_is_in_exactly_one_group() -> None:
    entries = [
        Entry(str(number), str(number), number % 3 == 0, str(number), split)
        for number, split in enumerate([*Split, None] * 5)
    ]

    assert sum(group.scans for group in describe_cohort(entries).groups) == len(entries)


def test_median_and_quartiles_are_those_of_a_hand_worked_case() -> None:
    entries = [positive(number, age=age) for number, age in enumerate((50, 90, 60, 70, 80, None))]

    (group,) = describe_cohort(entries).groups

    assert group.age == AgeSummary(stated=5, median=70, lower_quartile=60, upper_quartile=80)


def test_primaries_are_counted_without_regard_to_case_commonest_first() -> None:
    words = ("Prostate", "breast", "prostate", None)
    entries = [
        Entry(str(number), "P", True, str(number), primary=word)
        for number, word in enumerate(words)
    ]

    (group,) = describe_cohort(entries).groups

    assert group.primary == (("prostate", 2), ("breast", 1))


def test_rows_say_what_is_known_and_what_is_not() -> None:
    entries = [positive(1, age=64, sex=Sex.MALE), positive(2, sex=Sex.FEMALE), positive(3)]

    (row,) = table_rows(describe_cohort(entries))

    assert row == ("train", "metastasis", "3", "2", "64 (64-64)", "F 1, M 1", "not stated")
    assert len(row) == len(HEADINGS)


def test_unstated_ages_are_said_to_be_unstated() -> None:
    (row,) = table_rows(describe_cohort([positive(1)]))

    assert row[HEADINGS.index("age, median (IQR)")] == "not stated"


def test_no_entries_make_a_table_without_rows() -> None:
    assert table_rows(describe_cohort([])) == ()
