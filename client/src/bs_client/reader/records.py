"""What the database of a reader study remembers, one value type a table."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bs_client.reader.protocol import Stage


class EventKind(StrEnum):
    """What happened, by the server's clock; heartbeats tell that the page was there."""

    BEGAN = "began"  # a session, after the instructions; detail holds the screen
    SHOWN = "shown"  # the image was painted; the first one starts the clock
    MODEL_SHOWN = "model_shown"
    BEAT = "beat"  # detail: whether the reader was active, and the window in use
    PAUSED = "paused"
    RESUMED = "resumed"
    REOPENED = "reopened"  # the reader went back to an answered case
    LIMIT_REACHED = "limit_reached"


@dataclass(frozen=True, slots=True)
class Reading:
    """One case in one session of one reader.

    position : place in the session, from 1; practice comes first.
    aided : whether the model's result is shown after the unaided answer.
    """

    id: int
    reader: str
    session: int
    position: int
    code: str
    practice: bool
    aided: bool

    @property
    def last_stage(self) -> Stage:
        """The stage that ends the reading."""
        return Stage.AIDED if self.aided else Stage.UNAIDED


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a reader says of a case; None and empty where nothing was entered yet."""

    score: int | None
    call: bool | None
    comment: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A submitted opinion; a later revision does not replace an earlier one.

    at_ms : milliseconds since 1970, UTC, by the server's clock.
    """

    reading: int
    stage: Stage
    revision: int
    at_ms: int
    opinion: Opinion


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened; `reading` is None for what concerns a whole session."""

    reading: int | None
    kind: EventKind
    at_ms: int
    detail: dict[str, object]


@dataclass(frozen=True, slots=True)
class ShownResult:
    """What a reader in the aided arm sees of the model."""

    probability: float
    threshold: float
    has_map: bool
