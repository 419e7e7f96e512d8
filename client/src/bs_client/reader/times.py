"""How long a case took, from the server's events alone; a reload or a killed server loses none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bs_client.reader.records import Event, EventKind

BEAT_S = 5  # the page reports this often that it is there
# Two beats may be lost or late (a slow network, a short freeze); a longer silence is an absence.
LONGEST_GAP_MS = 3 * BEAT_S * 1000


@dataclass(frozen=True, slots=True)
class ReadingTimes:
    """Times of one answer, in seconds.

    wall_s : from the first sight of the image (or of the model's result) to the answer.
    paused_s : of it, while the reader had pressed pause.
    active_s : of it, while the page was there and the reader at it; the time to report.
    """

    wall_s: float
    paused_s: float
    active_s: float


def measure(events: Sequence[Event], *, start_ms: int, end_ms: int) -> ReadingTimes:
    """Add up the intervals between the signs of life from `start_ms` to `end_ms`.

    An interval counts as active unless the reader had paused, the heartbeat at its end reports an
    idle reader, or it is longer than three heartbeats (page closed, network or server gone).

    events : of the reading, in order; those outside the span do not matter.
    """
    paused_ms = active_ms = 0
    last_ms, paused = start_ms, False
    for event in events:
        if not start_ms <= event.at_ms <= end_ms:
            continue
        interval = event.at_ms - last_ms
        if paused:
            paused_ms += interval
        elif interval <= LONGEST_GAP_MS and event.detail.get("active", True):
            active_ms += interval
        paused = (paused or event.kind is EventKind.PAUSED) and event.kind is not EventKind.RESUMED
        last_ms = event.at_ms
    interval = end_ms - last_ms
    if paused:
        paused_ms += interval
    elif interval <= LONGEST_GAP_MS:
        active_ms += interval
    return ReadingTimes((end_ms - start_ms) / 1000, paused_ms / 1000, active_ms / 1000)


def first_ms(events: Sequence[Event], kind: EventKind) -> int | None:
    """Give when something happened first, or None if it never did."""
    return next((event.at_ms for event in events if event.kind is kind), None)
