"""Processes that share tasks."""

from __future__ import annotations

import pytest

from bs_client.check.crew import open_crew
from support.fragile_work import square_or_die


@pytest.mark.slow
def test_a_process_that_dies_costs_only_the_task_that_killed_it() -> None:
    results: dict[int, int | None] = {}

    with open_crew(2) as crew:
        crew.run(square_or_die, [3, -1, 4, 5, -2], done=results.__setitem__)

    assert results == {3: 9, 4: 16, 5: 25, -1: None, -2: None}


def test_no_process_is_started_for_no_task() -> None:
    with open_crew(2) as crew:
        crew.run(square_or_die, [], done=lambda task, result: None)

        assert not crew.is_running


@pytest.mark.slow
def test_a_crew_never_imports_the_network_library() -> None:
    found: dict[str, bool | None] = {}

    with open_crew(1) as crew:
        crew.run(eval, ["'tensorflow' in __import__('sys').modules"], done=found.__setitem__)

    assert list(found.values()) == [False]
