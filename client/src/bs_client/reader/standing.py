"""Where a reader stands: which case, which answer, or what is waited for.

It is worked out anew each time and never stored: answers and events alone decide, so that a
killed server stands where it stood.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from bs_client.reader.protocol import Protocol, Stage
from bs_client.reader.records import Answer, EventKind, Reading
from bs_client.reader.store import Store

DAY_MS = 24 * 60 * 60 * 1000


class Phase(StrEnum):
    """What a reader's page shows."""

    WELCOME = "welcome"  # before a session: instructions
    READING = "reading"
    WASHOUT = "washout"  # the first session is over, the second is not open yet
    FINISHED = "finished"


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a reader stands.

    reading, stage, revision : what is to be answered; None, unaided and 0 where nothing is.
    following : the case after it, or None; its image may be fetched ahead.
    previous : the case before it, or None at the first.
    done, total : cases of the session without practice.
    opens_ms : when the second session opens, in the washout.
    """

    phase: Phase
    session: int
    reading: Reading | None
    stage: Stage
    revision: int
    following: Reading | None
    previous: Reading | None
    done: int
    total: int
    opens_ms: int | None


def find_standing(store: Store, protocol: Protocol, reader: str, *, now_ms: int) -> Standing:
    """Work out where a reader stands from the plan, the answers and the events."""
    readings = store.readings(reader)
    answers = store.answers(reader)
    moves = store.events_of_kinds(reader, (EventKind.BEGAN, EventKind.REOPENED))
    reopened = Counter(move.reading for move in moves if move.kind is EventKind.REOPENED)
    given = Counter((answer.reading, answer.stage) for answer in answers)

    def missing(reading: Reading) -> Stage | None:
        """Give the stage that has fewer answers than it was opened for."""
        stages = (Stage.UNAIDED, Stage.AIDED) if reading.aided else (Stage.UNAIDED,)
        needed = 1 + reopened[reading.id]
        return next((stage for stage in stages if given[reading.id, stage] < needed), None)

    place = next((k for k, reading in enumerate(readings) if missing(reading)), len(readings))
    if place == len(readings):
        return _at_the_end(Phase.FINISHED, protocol.sessions, readings)
    reading = readings[place]
    if place and readings[place - 1].session != reading.session:
        before = {one.id for one in readings[:place]}
        opens_ms = _opens_ms(protocol, [one for one in answers if one.reading in before])
        if now_ms < opens_ms:
            return _at_the_end(Phase.WASHOUT, reading.session - 1, readings, opens_ms=opens_ms)
    began = {move.detail.get("session") for move in moves if move.kind is EventKind.BEGAN}
    stage = missing(reading) or Stage.UNAIDED
    same = [one for one in readings if one.session == reading.session]
    index = same.index(reading)
    return Standing(
        phase=Phase.READING if reading.session in began else Phase.WELCOME,
        session=reading.session,
        reading=reading,
        stage=stage,
        revision=given[reading.id, stage] + 1,
        following=next((one for one in same[index + 1 :] if missing(one)), None),
        previous=same[index - 1] if index else None,
        done=sum(not one.practice and not missing(one) for one in same),
        total=sum(not one.practice for one in same),
        opens_ms=None,
    )


def _opens_ms(protocol: Protocol, answers: Sequence[Answer]) -> int:
    """Count the washout from the last of the session before's answers."""
    last = max(answer.at_ms for answer in answers)
    return last + protocol.washout_days * DAY_MS


def _at_the_end(
    phase: Phase, session: int, readings: Sequence[Reading], *, opens_ms: int | None = None
) -> Standing:
    total = sum(one.session == session and not one.practice for one in readings)
    return Standing(
        phase=phase,
        session=session,
        reading=None,
        stage=Stage.UNAIDED,
        revision=0,
        following=None,
        previous=None,
        done=total,
        total=total,
        opens_ms=opens_ms,
    )
