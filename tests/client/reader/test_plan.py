"""Orders and arms of the readings."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from bs_client.reader.plan import plan_readings
from bs_client.reader.protocol import Protocol
from bs_client.reader.records import Reading

CASES = [f"C{number:03d}" for number in range(1, 41)]


def protocol(**settings: object) -> Protocol:
    base = {"name": "trial", "seed": 5, "readers": 3, "cases_with": 20, "cases_without": 20}
    return Protocol.model_validate({**base, **settings})


def readings_of(plan: tuple[Reading, ...], reader: str, session: int) -> list[Reading]:
    return [one for one in plan if (one.reader, one.session) == (reader, session)]


def test_everybody_reads_every_case_once_after_the_practice() -> None:
    plan = plan_readings(protocol(), CASES, ["P01", "P02"])

    for reader in ("R1", "R2", "R3"):
        own = readings_of(plan, reader, 1)
        assert [one.code for one in own[:2]] == ["P01", "P02"]
        assert sorted(one.code for one in own[2:]) == CASES
        assert [one.position for one in own] == list(range(1, 43))


def test_each_reader_and_each_session_has_an_order_of_its_own() -> None:
    plan = plan_readings(protocol(sessions=2), CASES, [])

    orders = {
        tuple(one.code for one in readings_of(plan, reader, session))
        for reader in ("R1", "R2", "R3")
        for session in (1, 2)
    }
    assert len(orders) == 6
    assert plan == plan_readings(protocol(sessions=2), CASES, [])


def test_a_crossover_shows_every_case_in_both_arms_half_of_them_aided_first() -> None:
    plan = plan_readings(protocol(sessions=2, with_ai=True), CASES, [])

    for reader in ("R1", "R2", "R3"):
        first, second = (readings_of(plan, reader, session) for session in (1, 2))
        aided_first = {one.code for one in first if one.aided}
        assert len(aided_first) == 20
        assert {one.code for one in second if one.aided} == set(CASES) - aided_first


def test_going_back_and_seeing_the_model_exclude_each_other() -> None:
    with pytest.raises(ValidationError, match="seen the model's result already"):
        protocol(with_ai=True, allow_back=True)
