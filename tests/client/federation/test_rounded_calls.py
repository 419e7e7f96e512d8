"""Calls of further models: what leaves tells of no few patients, alone or beside other tables."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bs_client.federation.rounded_calls import round_count
from bs_client.federation.small_cells import hide_small_cells
from bs_common.contract import CONFUSION_CELLS, MessageType
from bs_common.messages import Metric, Reply


def external(*tables: tuple[int, int, int, int]) -> Reply:
    """Give an answer about the study's model and others, each with its table."""
    study, *others = tables
    metrics: dict[str, Metric] = dict(zip(CONFUSION_CELLS, study, strict=True))
    metrics |= {"histogram.metastasis": [study[0] + study[1]], "auc": 0.9}
    metrics["histogram.no_metastasis"] = [study[2] + study[3]]
    for place, table in enumerate(others, start=1):
        metrics |= {
            f"compared.{place}.{name}": count
            for name, count in zip(CONFUSION_CELLS, table, strict=True)
        }
        metrics |= {f"compared.{place}.{name}": 0.5 for name in ("auc", "difference", "p")}
    return Reply(MessageType.EXTERNAL, 3, {}, metrics)


def shown(reply: Reply, place: int) -> list[Metric | None]:
    return [reply.metrics.get(f"compared.{place}.{name}") for name in CONFUSION_CELLS]


def allowed(total: int, min_cell: int) -> list[int]:
    """Give every number that leaves no small part, so that its table is not hidden."""
    small = range(1, min_cell)
    return [n for n in range(total + 1) if n not in small and total - n not in small]


TOTALS, MIN_CELLS = st.integers(1, 90), st.integers(1, 12)


def test_a_case_worked_by_hand() -> None:
    # Of 27 scans a count may be 0, 5 to 22 or 27: ranges 5 to 9, 10 to 14, 15 to 22.
    found = {count: round_count(count, 27, 5) for count in allowed(27, 5)}

    assert found == {
        0: 0,
        **dict.fromkeys(range(5, 10), 7),
        **dict.fromkeys(range(10, 15), 12),
        **dict.fromkeys(range(15, 23), 18),
        27: 27,
    }


@given(TOTALS)
def test_a_site_that_hides_nothing_rounds_nothing(total: int) -> None:
    assert [round_count(n, total, 1) for n in range(total + 1)] == list(range(total + 1))


@given(TOTALS, MIN_CELLS)
def test_no_difference_to_an_exact_count_is_known_to_be_small(total: int, min_cell: int) -> None:
    """The attack: the study's model at another threshold, whose calls hold the study's."""
    possible = defaultdict(list)
    for count in allowed(total, min_cell):
        possible[round_count(count, total, min_cell)].append(count)

    for exact in allowed(total, min_cell):
        for counts in possible.values():
            assert any(n == exact or abs(n - exact) >= min_cell for n in counts)


@given(TOTALS, MIN_CELLS)
def test_no_difference_of_two_rounded_counts_is_known_to_be_small(
    total: int, min_cell: int
) -> None:
    possible = defaultdict(list)
    for count in allowed(total, min_cell):
        possible[round_count(count, total, min_cell)].append(count)

    for one in possible.values():
        for other in possible.values():
            assert any(a == b or abs(a - b) >= min_cell for a in one for b in other)


@given(TOTALS, MIN_CELLS)
def test_a_rounded_table_shows_no_small_cell(total: int, min_cell: int) -> None:
    for count in allowed(total, min_cell):
        rounded = round_count(count, total, min_cell)
        assert rounded in allowed(total, min_cell)
        assert (rounded == 0, rounded == total) == (count == 0, count == total)


def test_exact_tables_of_two_thresholds_would_tell_of_three_patients() -> None:
    """Why the rule is there: each table alone is safe, and their difference is not."""
    study, lower = (30, 20, 60, 40), (33, 17, 60, 40)

    reply = hide_small_cells(external(study, lower), 5)

    assert reply.metrics["tp"] == 30
    assert shown(reply, 1) == [32, 18, 58, 42]  # 30 to 34 of 50, and 40 to 44 of 100
    assert reply.metrics["compared.rounded-to"] == 5


@pytest.mark.parametrize("table", [(48, 2, 60, 40), (30, 20, 97, 3), (3, 47, 60, 40)])
def test_a_table_with_a_small_cell_is_hidden_alone(table: tuple[int, int, int, int]) -> None:
    reply = hide_small_cells(external((30, 20, 60, 40), table, (25, 25, 50, 50)), 5)

    assert set(reply.hidden) == {f"compared.1.{cell}" for cell in CONFUSION_CELLS}
    assert reply.metrics["compared.1.auc"] == 0.5
    assert None not in shown(reply, 2)


def test_a_small_class_hides_the_areas_of_all_models() -> None:
    reply = hide_small_cells(external((3, 0, 60, 40), (3, 0, 50, 50)), 5)

    figures = {"auc", "compared.1.auc", "compared.1.difference", "compared.1.p"}
    assert figures <= set(reply.hidden)


def test_an_answer_about_one_model_says_nothing_of_rounding() -> None:
    assert "compared.rounded-to" not in hide_small_cells(external((30, 20, 60, 40)), 5).metrics
