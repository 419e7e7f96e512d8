"""Refusals in the audit log: each kind at once, a flood as one line."""

from __future__ import annotations

from bs_common.audit import Passage
from bs_server.gateway.refusals import Refusals


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def made() -> tuple[Refusals, list[Passage], Clock]:
    lines: list[Passage] = []
    clock = Clock()
    return Refusals(lines.append, clock), lines, clock


def test_a_single_refusal_is_a_line_at_once() -> None:
    refusals, lines, _ = made()

    refusals.note("10.0.0.9", "http", "no_such_path")
    refusals.write()

    (line,) = lines
    assert (line.peer, line.message_type, line.verdict) == ("10.0.0.9", "http", "no_such_path")
    assert (line.direction, line.count, line.size_bytes) == ("in", 1, 0)


def test_what_is_refused_many_times_between_two_writings_is_one_line() -> None:
    refusals, lines, _ = made()
    for _number in range(10_000):
        refusals.note("10.0.0.9", "connection", "too_many")
    refusals.write()

    assert [line.count for line in lines] == [10_000]
    assert refusals.total == {"too_many": 10_000}


def test_a_flood_from_everywhere_writes_few_lines_and_loses_no_count() -> None:
    refusals, lines, clock = made()
    for second in range(600):
        clock.now = float(second)
        for number in range(50):
            refusals.note(f"10.{second % 200}.0.{number}", "connection", "too_many")
        refusals.write()
    refusals.write(all_of_them=True)

    assert sum(line.count for line in lines) == 30_000
    assert len(lines) <= 11 * 2 * 21  # ten minutes and what was waiting
    assert "many" in {line.peer for line in lines}


def test_a_minute_after_a_flood_a_single_refusal_is_a_line_at_once_again() -> None:
    refusals, lines, clock = made()
    for number in range(100):
        refusals.note(f"10.0.0.{number}", "connection", "too_many")
        refusals.write()
    clock.now = 60
    refusals.write()
    before = len(lines)

    clock.now = 121
    refusals.note("10.0.0.9", "http", "no_such_path")
    refusals.write()

    assert [line.verdict for line in lines[before:]] == ["no_such_path"]
