"""Reading times from the server's events."""

from __future__ import annotations

from bs_client.reader.records import Event, EventKind
from bs_client.reader.times import ReadingTimes, measure


def at(second: float, kind: EventKind = EventKind.BEAT, *, active: bool = True) -> Event:
    detail: dict[str, object] = {"active": active} if kind is EventKind.BEAT else {}
    return Event(1, kind, round(1000 * second), detail)


def times(*events: Event, end: float) -> ReadingTimes:
    return measure(events, start_ms=0, end_ms=round(1000 * end))


def test_without_interruption_all_of_the_time_is_active() -> None:
    assert times(at(5), at(10), at(15), end=18.5) == ReadingTimes(18.5, 0.0, 18.5)


def test_a_quick_answer_needs_no_heartbeat() -> None:
    assert times(end=4.25) == ReadingTimes(4.25, 0.0, 4.25)


def test_a_pause_counts_as_paused_only() -> None:
    paused = (at(4, EventKind.PAUSED), at(304, EventKind.RESUMED))

    assert times(*paused, at(309), end=310) == ReadingTimes(310.0, 300.0, 10.0)


def test_an_idle_reader_is_not_active() -> None:
    assert times(at(5), at(10, active=False), at(15, active=False), at(20), end=22) == (
        ReadingTimes(22.0, 0.0, 12.0)
    )


def test_a_reload_loses_no_time() -> None:
    assert times(at(5), at(8, EventKind.SHOWN), at(13), end=14) == ReadingTimes(14.0, 0.0, 14.0)


def test_a_long_silence_is_an_absence() -> None:
    assert times(at(5), at(600, EventKind.SHOWN), end=607) == ReadingTimes(607.0, 0.0, 12.0)


def test_a_pause_that_the_browser_did_not_survive_ends_with_the_resume() -> None:
    events = (at(2, EventKind.PAUSED), at(900, EventKind.SHOWN), at(905, EventKind.RESUMED))

    assert times(*events, end=910) == ReadingTimes(910.0, 903.0, 7.0)


def test_events_outside_the_span_do_not_matter() -> None:
    events = [at(1), at(6), at(11), at(50)]

    assert measure(events, start_ms=5000, end_ms=12_000) == ReadingTimes(7.0, 0.0, 7.0)
