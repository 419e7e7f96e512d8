"""What the reading page asks and says; every request is judged by where its reader stands."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from bs_client.reader.open_study import OpenStudy
from bs_client.reader.protocol import Stage
from bs_client.reader.records import Answer, Event, EventKind, Opinion, Reading
from bs_client.reader.standing import Phase, Standing
from bs_client.reader.state import reader_state
from bs_client.reader.times import first_ms
from bs_client.reader.visitors import (
    FORBIDDEN,
    FORM_MARK,
    require_own_form,
    require_reader,
    study_of,
)

MAX_BODY = 20_000  # bytes; the longest comment in four-byte letters fits
MAX_COMMENT = 4000
LIMIT_GRACE_MS = 3000  # a page that was fetched just before the time limit may still be shown
BAD_REQUEST, NOT_FOUND, CONFLICT, TOO_LARGE = 400, 404, 409, 413

Body = TypeVar("Body", bound=BaseModel)


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class Screen(_Strict):
    """The monitor, as the browser reports it; it is kept with the session."""

    width: Annotated[int, Field(ge=0, le=100_000)]
    height: Annotated[int, Field(ge=0, le=100_000)]
    pixel_ratio: Annotated[float, Field(ge=0, le=100)]
    colour_bits: Annotated[int, Field(ge=0, le=1000)]


class Turn(_Strict):
    """Which answer a message belongs to; an old page's messages fall through here."""

    reading: int
    stage: Annotated[Stage, Field(strict=False)]
    revision: int


class Beat(Turn):
    """A sign of life: whether the reader did anything lately, and the window in use."""

    active: bool
    window: Annotated[dict[str, int | float | str | bool], Field(max_length=12)] = {}


class Entry(Turn):
    """What is entered; for an answer, score and call must be there."""

    score: int | None
    call: bool | None
    comment: Annotated[str, Field(max_length=MAX_COMMENT)]


async def state(request: Request) -> Response:
    """Say where the reader stands."""
    return _state(request, require_reader(request))


async def image(request: Request) -> Response:
    """Give the counts of the reader's case, or of the next one ahead of time; of no other."""
    study, reader = study_of(request), require_reader(request)
    reading = _own_reading(request, reader)
    standing = study.standing(reader)
    if standing.phase not in (Phase.READING, Phase.WELCOME) or reading.id not in (
        standing.reading and standing.reading.id,
        standing.following and standing.following.id,
    ):
        raise HTTPException(FORBIDDEN, "This case is not yours to read now.")
    if _is_over_limit(study, standing, reading):
        raise HTTPException(FORBIDDEN, "The time for looking at this case is over.")
    return FileResponse(
        study.folder.images / f"{reading.code}.u16", media_type="application/octet-stream"
    )


def _is_over_limit(study: OpenStudy, standing: Standing, reading: Reading) -> bool:
    limit_s = study.protocol.time_limit_s
    if limit_s is None or standing.stage is Stage.AIDED:
        return False
    shown = first_ms(study.store.events_of_reading(reading.id), EventKind.SHOWN)
    return shown is not None and study.clock() > shown + 1000 * limit_s + LIMIT_GRACE_MS


async def model_map(request: Request) -> Response:
    """Give the model's map of the reader's case, after the unaided answer."""
    study, reader = study_of(request), require_reader(request)
    reading = _own_reading(request, reader)
    standing = study.standing(reader)
    if standing.reading != reading or standing.stage is not Stage.AIDED:
        raise HTTPException(FORBIDDEN, "The model's result is shown after your own answer.")
    result = study.store.find_result(reading.code)
    if result is None or not result.has_map:
        raise HTTPException(NOT_FOUND, "There is no map of this case.")
    return FileResponse(study.folder.maps / f"{reading.code}.png", media_type="image/png")


def _own_reading(request: Request, reader: str) -> Reading:
    reading = study_of(request).store.find_reading(request.path_params["reading"])
    if reading is None or reading.reader != reader:
        raise HTTPException(NOT_FOUND, "There is no such case.")  # nor a hint that there is one
    return reading


async def begin(request: Request) -> Response:
    """Begin a session, after the instructions."""
    reader, screen = await _received(request, Screen)
    study = study_of(request)
    standing = study.standing(reader)
    if standing.phase is Phase.WELCOME:
        detail: dict[str, object] = {"session": standing.session, "screen": screen.model_dump()}
        study.store.add_event(reader, Event(None, EventKind.BEGAN, study.clock(), detail))
    return _state(request, reader)


async def shown(request: Request) -> Response:
    """Note that the image was painted; the first time starts the clock of the case."""
    return await _note(request, EventKind.SHOWN)


async def model_shown(request: Request) -> Response:
    """Note that the model's result was painted."""
    return await _note(request, EventKind.MODEL_SHOWN)


async def pause(request: Request) -> Response:
    """Note that the reader pauses; the image is hidden."""
    return await _note(request, EventKind.PAUSED)


async def resume(request: Request) -> Response:
    """Note that the reader goes on."""
    return await _note(request, EventKind.RESUMED)


async def limit_reached(request: Request) -> Response:
    """Note that the image was hidden because its time was over."""
    return await _note(request, EventKind.LIMIT_REACHED)


async def _note(request: Request, kind: EventKind) -> Response:
    reader, turn = await _received(request, Turn)
    study = study_of(request)
    _require_turn(study, reader, turn)
    study.store.add_event(reader, Event(turn.reading, kind, study.clock(), {}))
    return JSONResponse({})


async def beat(request: Request) -> Response:
    """Note a sign of life."""
    reader, message = await _received(request, Beat)
    study = study_of(request)
    _require_turn(study, reader, message)
    detail: dict[str, object] = {"active": message.active, "window": dict(message.window)}
    study.store.add_event(reader, Event(message.reading, EventKind.BEAT, study.clock(), detail))
    return JSONResponse({})


async def draft(request: Request) -> Response:
    """Keep what is entered so far."""
    reader, entry = await _received(request, Entry)
    study = study_of(request)
    _require_turn(study, reader, entry)
    _require_on_scale(study, entry)
    study.store.add_draft(_answer(study, entry))
    return JSONResponse({})


async def answer(request: Request) -> Response:
    """Keep an answer, once; the same one sent again is confirmed, another one refused."""
    reader, entry = await _received(request, Entry)
    study = study_of(request)
    _require_on_scale(study, entry)
    if entry.score is None or entry.call is None:
        raise HTTPException(BAD_REQUEST, "Score and call are needed.")
    given = _answer(study, entry)
    if _is_repeated(study, reader, given):
        return _state(request, reader)
    _require_turn(study, reader, entry)
    kind = EventKind.MODEL_SHOWN if entry.stage is Stage.AIDED else EventKind.SHOWN
    if first_ms(study.store.events_of_reading(entry.reading), kind) is None:
        raise HTTPException(CONFLICT, "The case has not been shown yet.")
    if not study.store.add_answer(given):
        raise HTTPException(CONFLICT, "This case was answered already.")
    return _state(request, reader)


def _is_repeated(study: OpenStudy, reader: str, given: Answer) -> bool:
    """Whether this very answer is kept already: its confirmation was lost on the way."""
    return any(
        (one.reading, one.stage, one.revision, one.opinion)
        == (given.reading, given.stage, given.revision, given.opinion)
        for one in study.store.answers(reader)
    )


async def back(request: Request) -> Response:
    """Open the case before this one again, where the protocol allows it; it is recorded."""
    reader, turn = await _received(request, Turn)
    study = study_of(request)
    standing = _require_turn(study, reader, turn)
    if not study.protocol.allow_back or standing.previous is None:
        raise HTTPException(FORBIDDEN, "The protocol of this study does not let readers go back.")
    event = Event(standing.previous.id, EventKind.REOPENED, study.clock(), {})
    study.store.add_event(reader, event)
    return _state(request, reader)


async def _received(request: Request, kind: type[Body]) -> tuple[str, Body]:
    """Read a message of this site's own page; anything else is refused before it is read."""
    reader = require_reader(request)
    require_own_form(request, request.headers.get(FORM_MARK, ""))
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY:
            raise HTTPException(TOO_LARGE, "Too long.")
    try:
        return reader, kind.model_validate_json(bytes(body))
    except ValidationError as error:
        raise HTTPException(BAD_REQUEST, "Not a message of this page.") from error


def _require_turn(study: OpenStudy, reader: str, turn: Turn) -> Standing:
    """Refuse what does not belong to the answer that is due, such as from a forgotten tab."""
    standing = study.standing(reader)
    due = (standing.reading and standing.reading.id, standing.stage, standing.revision)
    if standing.phase is not Phase.READING or due != (turn.reading, turn.stage, turn.revision):
        raise HTTPException(CONFLICT, "The study has moved on; this page is out of date.")
    return standing


def _require_on_scale(study: OpenStudy, entry: Entry) -> None:
    lowest, highest = study.protocol.lowest_score, study.protocol.highest_score
    if entry.score is not None and not lowest <= entry.score <= highest:
        raise HTTPException(BAD_REQUEST, f"The score goes from {lowest} to {highest}.")


def _answer(study: OpenStudy, entry: Entry) -> Answer:
    opinion = Opinion(entry.score, entry.call, entry.comment)
    return Answer(entry.reading, entry.stage, entry.revision, study.clock(), opinion)


def _state(request: Request, reader: str) -> JSONResponse:
    content: Any = reader_state(study_of(request), reader)
    return JSONResponse(content)
