"""The finished answers of a study with what stood behind each case: the input of every table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bs_client.reader.case_key import KeyRow, read_key
from bs_client.reader.open_study import OpenStudy
from bs_client.reader.protocol import Protocol, Stage
from bs_client.reader.records import Answer, Event, EventKind, Reading
from bs_client.reader.standing import Phase
from bs_client.reader.times import ReadingTimes, first_ms, measure
from bs_common.errors import DataError

UNAIDED, AIDED = "unaided", "aided"
BEFORE_MODEL = "before-model"  # the first answer in the aided arm of a crossover


@dataclass(frozen=True, slots=True)
class FinishedAnswer:
    """One answer as the tables show it.

    arm : ``unaided``, ``aided``, ``session-1``, ``session-2``, or ``before-model``.
    final : whether it is the last revision; analyses use no other.
    limit_reached : whether the image had been hidden because its time was over.
    window : what the reader had last set, as the page reported it.
    """

    reader: str
    session: int
    position: int
    code: str
    practice: bool
    arm: str
    revision: int
    final: bool
    label: bool
    score: int
    call: bool
    comment: str
    shown_ms: int
    submitted_ms: int
    times: ReadingTimes
    limit_reached: bool
    window: Mapping[str, object]


def finished_readers(study: OpenStudy) -> tuple[str, ...]:
    """Name the readers who have answered everything."""
    return tuple(
        reader
        for reader in study.protocol.reader_names
        if study.standing(reader).phase is Phase.FINISHED
    )


def collect_answers(study: OpenStudy, *, unfinished: bool = False) -> tuple[FinishedAnswer, ...]:
    """Bring answers, times and the key together, by reader, session and position.

    Raises
    ------
    DataError
        A reader has not finished: labels and answers stay apart until everybody has. With
        `unfinished` they are joined all the same; only readers who finished are then given.
    """
    finished = finished_readers(study)
    missing = [name for name in study.protocol.reader_names if name not in finished]
    if missing and not unfinished:
        raise DataError(
            f"Not finished: {', '.join(missing)}.",
            remedy="Wait, or leave readers who gave up out with --unfinished; the study is then "
            "open: nobody should read on who has seen its tables.",
        )
    if not finished:
        raise DataError("Nobody has finished.", remedy="Wait for the first reader.")
    key = read_key(study.folder.key)
    return tuple(one for reader in finished for one in _answers_of(study, reader, key))


def _answers_of(
    study: OpenStudy, reader: str, key: Mapping[str, KeyRow]
) -> Iterator[FinishedAnswer]:
    answers = study.store.answers(reader)
    for reading in study.store.readings(reader):
        events = study.store.events_of_reading(reading.id)
        own = [answer for answer in answers if answer.reading == reading.id]
        for answer in own:
            start_ms = _start_ms(answer, events)
            last = max(one.revision for one in own if one.stage == answer.stage)
            score, call = answer.opinion.score, answer.opinion.call
            assert score is not None  # noqa: S101 (the database takes no answer without)
            assert call is not None  # noqa: S101
            yield FinishedAnswer(
                reader=reader,
                session=reading.session,
                position=reading.position,
                code=reading.code,
                practice=reading.practice,
                arm=arm_of(study.protocol, reading, answer.stage),
                revision=answer.revision,
                final=answer.revision == last,
                label=key[reading.code].label,
                score=score,
                call=call,
                comment=answer.opinion.comment,
                shown_ms=start_ms,
                submitted_ms=answer.at_ms,
                times=measure(events, start_ms=start_ms, end_ms=answer.at_ms),
                limit_reached=any(one.kind is EventKind.LIMIT_REACHED for one in events),
                window=_last_window(events),
            )


def arm_of(protocol: Protocol, reading: Reading, stage: Stage) -> str:
    """Name the arm that an answer belongs to."""
    if stage is Stage.AIDED:
        return AIDED
    if protocol.sessions == 1:
        return UNAIDED
    if not protocol.with_ai:
        return f"session-{reading.session}"
    return BEFORE_MODEL if reading.aided else UNAIDED


def _start_ms(answer: Answer, events: tuple[Event, ...]) -> int:
    """Give when the clock of an answer began: at the image, the model's result, or the return."""
    if answer.revision > 1:
        returns = [one.at_ms for one in events if one.kind is EventKind.REOPENED]
        return returns[answer.revision - 2]
    kind = EventKind.MODEL_SHOWN if answer.stage is Stage.AIDED else EventKind.SHOWN
    start_ms = first_ms(events, kind)
    assert start_ms is not None  # noqa: S101 (no answer is taken before)
    return start_ms


def _last_window(events: tuple[Event, ...]) -> Mapping[str, object]:
    beats = [one.detail.get("window") for one in events if one.kind is EventKind.BEAT]
    last = beats[-1] if beats else None
    return last if isinstance(last, dict) else {}
