"""What the reading page is told: where the reader stands, and nothing that gives a label away.

No label is in the database, so none can be said. The model's result comes after the unaided answer.
"""

from __future__ import annotations

from dataclasses import asdict

from bs_client.reader.open_study import OpenStudy
from bs_client.reader.protocol import FIVE_LEVELS, Stage
from bs_client.reader.records import Event, EventKind, Opinion, Reading
from bs_client.reader.standing import Standing
from bs_client.reader.times import BEAT_S, first_ms

State = dict[str, object]


def reader_state(study: OpenStudy, reader: str) -> State:
    """Describe everything the page needs to show now."""
    standing = study.standing(reader)
    protocol = study.protocol
    return {
        "phase": standing.phase,
        "session": standing.session,
        "done": standing.done,
        "total": standing.total,
        "opens_ms": standing.opens_ms,
        "sessions": protocol.sessions,
        "beat_s": BEAT_S,
        "idle_cutoff_s": protocol.idle_cutoff_s,
        "time_limit_s": protocol.time_limit_s,
        "lowest": protocol.lowest_score,
        "highest": protocol.highest_score,
        "levels": FIVE_LEVELS if protocol.scale == "five_levels" else None,
        "can_go_back": protocol.allow_back and standing.previous is not None,
        "case": _case(study, standing),
        "following": None if standing.following is None else _image(study, standing.following),
    }


def _case(study: OpenStudy, standing: Standing) -> State | None:
    reading = standing.reading
    if reading is None:
        return None
    events = study.store.events_of_reading(reading.id)
    shown = first_ms(events, EventKind.SHOWN)
    return {
        **_image(study, reading),
        "code": reading.code,
        "practice": reading.practice,
        "aided": reading.aided,
        "stage": standing.stage,
        "revision": standing.revision,
        "opinion": asdict(_entered(study, standing, reading)),
        "paused": is_paused(events),
        "elapsed_ms": None if shown is None else study.clock() - shown,
        "result": _result(study, reading) if standing.stage is Stage.AIDED else None,
    }


def _entered(study: OpenStudy, standing: Standing, reading: Reading) -> Opinion:
    """Give the draft, or the answer before it: the unaided one, or the one that is revised."""
    draft = study.store.find_draft(reading.id, standing.stage, standing.revision)
    if draft is not None:
        return draft
    given = [one for one in study.store.answers(reading.reader) if one.reading == reading.id]
    return given[-1].opinion if given else Opinion(None, None, "")


def _image(study: OpenStudy, reading: Reading) -> State:
    image = study.store.image(reading.code)
    return {
        "reading": reading.id,
        "views": [image.anterior_shape, image.posterior_shape],
        "aspect": image.aspect,
        "window": image.window,
        "scale": image.scale,
    }


def _result(study: OpenStudy, reading: Reading) -> State | None:
    result = study.store.find_result(reading.code)
    return None if result is None else asdict(result)


def is_paused(events: tuple[Event, ...]) -> bool:
    """Whether the last word on it was a pause."""
    moves = [one.kind for one in events if one.kind in (EventKind.PAUSED, EventKind.RESUMED)]
    return bool(moves) and moves[-1] is EventKind.PAUSED
