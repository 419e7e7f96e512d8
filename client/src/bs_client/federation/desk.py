"""Where a site's requests are worked on: the long ones one after another, beside the connection.

The thread that talks to the coordinator never waits for work. So a site that trains for a day goes
on answering small questions, and connects again at once when the coordinator comes back.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from types import TracebackType
from typing import Self

from flwr.app import Message

from bs_client.federation.activity import Activity
from bs_client.interruption import Interrupted

_log = logging.getLogger(__name__)

Handler = Callable[[Message], Message]

_END_S = 60.0  # the wait for a step to end; the command line ends the process sooner


@dataclass(frozen=True, slots=True)
class _Job:
    message: Message
    connection: int

    @property
    def question(self) -> tuple[str, str]:
        """What is asked, the same for a question that is asked again."""
        return self.message.metadata.message_type, self.message.metadata.group_id


class Desk:
    """Takes requests and gives their replies when they are ready, while the context is open.

    A long question that is asked again while it is worked on waits for the work in hand, so that
    a handler which records its answers works once. Another long question means that nobody waits
    for the one in hand, which is abandoned. After a new connection, replies to requests of earlier
    ones are dropped, for the coordinator asks again; the work in hand goes on, for its answer is
    most likely what will be asked.

    Parameters
    ----------
    handle : answers a message; raises Interrupted when its work was abandoned or stopped.
    quick : message types that are answered in the calling thread.
    activity : shows what `handle` does, and makes it end at its next step.
    """

    def __init__(
        self,
        handle: Handler,
        *,
        quick: frozenset[str] = frozenset(),
        activity: Activity,
    ) -> None:
        self._handle = handle
        self._quick = quick
        self._activity = activity
        self._jobs: queue.Queue[_Job | None] = queue.Queue()
        self._outcomes: queue.Queue[tuple[_Job, Message | BaseException]] = queue.Queue()
        self._waiting: list[_Job] = []  # taken and not given back; the first is in hand
        self._lock = Lock()  # over the two below, which both threads read
        self._connection = 0
        self._asked: tuple[str, str] | None = None
        self._thread = threading.Thread(target=self._work, name="site-work", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            self._asked = None
            self._activity.abandon()
        self._jobs.put(None)
        self._thread.join(_END_S)

    @property
    def busy(self) -> bool:
        """Whether a long piece of work is in hand."""
        return bool(self._waiting)

    def connected_anew(self) -> None:
        """Give no reply to what was asked before now."""
        with self._lock:
            self._connection += 1

    def take(self, message: Message) -> Message | None:
        """Take a request; give its reply if it is a quick one."""
        if message.metadata.message_type in self._quick:
            return self._handle(message)
        job = _Job(message, self._connection)
        with self._lock:
            self._asked = job.question
            if any(other.question != job.question for other in self._waiting):
                _log.warning("asked something new: the work in hand is abandoned")
                self._activity.abandon()
        self._waiting.append(job)
        self._jobs.put(job)
        return None

    def reply(self, timeout_s: float) -> Message | None:
        """Wait for the next reply that somebody waits for; raises what the work raised."""
        try:
            job, outcome = self._outcomes.get(timeout=timeout_s)
        except queue.Empty:
            return None
        self._waiting.remove(job)
        if isinstance(outcome, Interrupted):
            return None
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome if job.connection == self._connection else None

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                self._begin(job)
                self._outcomes.put((job, self._handle(job.message)))
            except BaseException as error:  # noqa: BLE001 - raised again in the other thread
                self._outcomes.put((job, error))
            finally:
                self._activity.end()

    def _begin(self, job: _Job) -> None:
        with self._lock:
            if (job.question, job.connection) != (self._asked, self._connection):
                raise Interrupted  # while it lay here, somebody asked something else
            self._activity.begin()
