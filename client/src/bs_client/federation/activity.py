"""What a site is doing now, for those who look, and the wish that it ends, for those who work."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from threading import Event, Lock

from bs_client.interruption import Interrupted, Progress
from bs_common.contract import Phase
from bs_common.messages import Reply, Request

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Doing:
    """A phase of the work and how much of it is done, as it may be told outside.

    percent : whole tenths; 0 throughout a phase of fewer than 20 steps, whose number (of scans
        called positive, say) could be told from its steps.
    """

    phase: Phase
    percent: int


_NOTHING = Doing(Phase.IDLE, 0)
_FEW_STEPS = 20


class Activity:
    """The one piece of long work of a site; any thread may look at it or wish that it ends.

    Parameters
    ----------
    stop : set when the whole site ends.

    Attributes
    ----------
    connected : whether the coordinator is connected.
    """

    connected: bool

    def __init__(self, stop: Event | None = None) -> None:
        self.connected = False
        self._stop = stop or Event()
        self._abandoned = Event()
        self._lock = Lock()
        self._now = _NOTHING

    @property
    def now(self) -> Doing:
        """What is done at this moment."""
        with self._lock:
            return self._now

    def answer(self, request: Request) -> Reply:
        """Say outside what is done at this moment."""
        doing = self.now
        return Reply(
            request.message_type,
            request.round_number,
            metrics={"percent": doing.percent},
            texts={"phase": doing.phase.value},
        )

    def begin(self) -> None:
        """Start a new piece of work; an earlier wish to abandon was for the one before."""
        self._abandoned.clear()
        self._set(_NOTHING)

    def end(self) -> None:
        """Say that nothing is done any more."""
        self._set(_NOTHING)

    def abandon(self) -> None:
        """Wish that the piece in hand ends at its next step: nobody waits for it any more."""
        self._abandoned.set()

    def steps(self, phase: Phase, what: str) -> Progress:
        """Give the function by which a phase tells every step; each tenth is said in the log.

        The function raises Interrupted when the work shall end.
        """
        said = -1

        def tell(done: int, total: int) -> None:
            nonlocal said
            tenth = 10 * done // max(total, 1)
            self._set(Doing(phase, 10 * tenth if total >= _FEW_STEPS else 0))
            if tenth != said:
                said = tenth
                _log.info("%s: %d of %d", what, done, total)
            if self._stop.is_set() or self._abandoned.is_set():
                raise Interrupted

        return tell

    def _set(self, doing: Doing) -> None:
        with self._lock:
            self._now = doing
