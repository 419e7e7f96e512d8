"""Subgroup tables without a small cell, and without one that could be worked out."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bs_client.federation.small_cells import hide_small_cells
from bs_client.federation.small_subgroups import small_subgroups
from bs_common.contract import CONFUSION_CELLS, SUBGROUPS, MessageType
from bs_common.messages import Metric, Reply

Table = tuple[int, int, int, int]


def metrics(
    levels: dict[str, Table], *, unknown: Table = (0, 0, 0, 0), variable: str = "age"
) -> dict[str, Metric]:
    """Tables of levels of a variable, and the table of all with those of whom it is not known."""
    whole = np.sum([*levels.values(), unknown], axis=0).tolist()
    named: dict[str, Metric] = dict(zip(CONFUSION_CELLS, whole, strict=True))
    for level, table in levels.items():
        named |= {
            f"subgroup.{variable}.{level}.{cell}": count
            for cell, count in zip(CONFUSION_CELLS, table, strict=True)
        }
    return named


def hidden_levels(found: set[str]) -> set[str]:
    return {name.split(".")[2] for name in found}


def test_large_cells_are_shown() -> None:
    table = metrics({"under-50": (9, 5, 20, 6), "50-to-64": (10, 6, 30, 7)})

    assert small_subgroups(table, 5, table_hidden=False) == set()


def test_a_small_level_takes_the_smallest_other_one_with_it() -> None:
    table = metrics(
        {"under-50": (9, 4, 20, 6), "50-to-64": (10, 6, 30, 7), "65-to-74": (30, 9, 60, 9)}
    )

    found = small_subgroups(table, 5, table_hidden=False)

    # Alone, 4 would be the total less the others.
    assert hidden_levels(found) == {"under-50", "50-to-64"}
    assert {name.rpartition(".")[2] for name in found} == set(CONFUSION_CELLS)


def test_few_scans_of_unknown_age_hide_a_level_too() -> None:
    levels: dict[str, Table] = {"under-50": (9, 8, 20, 6), "50-to-64": (10, 9, 30, 7)}

    found = small_subgroups(metrics(levels, unknown=(2, 0, 0, 0)), 5, table_hidden=False)

    assert hidden_levels(found) == {"under-50"}


def test_few_scans_with_many_lesions_are_hidden_although_most_scans_have_none() -> None:
    levels: dict[str, Table] = {"3-to-9": (30, 8, 0, 0), "10-and-over": (2, 0, 0, 0)}
    none = (0, 0, 60, 9)  # of scans without metastasis no lesions are counted

    found = small_subgroups(
        metrics(levels, unknown=none, variable="lesions"), 5, table_hidden=False
    )

    # Shown alone, 3-to-9 would leave the 2 as the rest of the true positives.
    assert hidden_levels(found) == {"3-to-9", "10-and-over"}


def test_levels_without_scans_stay() -> None:
    table = metrics({"under-50": (0, 0, 0, 0), "50-to-64": (10, 6, 30, 7)})

    assert small_subgroups(table, 5, table_hidden=False) == set()


def test_a_hidden_table_hides_every_level() -> None:
    table = metrics({"under-50": (9, 8, 20, 6), "50-to-64": (10, 9, 30, 7)})

    assert hidden_levels(small_subgroups(table, 5, table_hidden=True)) == {"under-50", "50-to-64"}


CELL = st.integers(0, 14)
TABLES = st.lists(st.tuples(CELL, CELL, CELL, CELL), min_size=4, max_size=4)


@settings(deadline=None, max_examples=200)
@given(TABLES, st.tuples(CELL, CELL, CELL, CELL), st.integers(1, 8))
def test_nobody_can_work_out_a_small_count(
    tables: list[Table], unknown: Table, min_cell: int
) -> None:
    levels = dict(zip(SUBGROUPS["age"], tables, strict=True))
    named = metrics(levels, unknown=unknown)
    reply = Reply(MessageType.EXTERNAL, 1, {}, named)

    safe = hide_small_cells(reply, min_cell)

    shown = [
        np.array([safe.metrics[f"subgroup.age.{level}.{cell}"] for cell in CONFUSION_CELLS])
        for level in levels
        if f"subgroup.age.{level}.tp" in safe.metrics
    ]
    rest = np.array([named[cell] for cell in CONFUSION_CELLS])
    if "tp" in safe.hidden:
        assert shown == []
        return
    # Whatever is not shown, taken together, is what an onlooker can subtract.
    for counts in [*shown, rest - np.sum(shown, axis=0)]:
        assert not ((counts > 0) & (counts < min_cell)).any()
