"""How far the sites are that an answer is waited for, asked now and then beside the question."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable
from typing import Protocol

from flwr.app import Message, RecordDict

from bs_common.audit import PASSED, Direction
from bs_common.content import NOTHING, Measured, measure
from bs_common.contract import MessageType
from bs_common.errors import ConnectionLost, ContractError
from bs_common.messages import Request, read_reply, write_request
from bs_common.settings import StudySettings
from bs_server.federation.attendance import Told

# Each asking is two lines of a site's record: 120 an hour, and only while it works.
_EVERY_S = 60.0


Recorder = Callable[[Direction, str, Request, Measured, str], None]


class Carries(Protocol):
    """The part of a link that is needed here; see `exchange.Link`."""

    def send(self, site: str, message_type: str, content: RecordDict, *, group: str) -> str:
        """Queue a message and give the ticket for its reply."""

    def receive(self, ticket: str) -> Message | None:
        """Give the whole reply to a sent message, or None while there is none."""

    def drop(self, ticket: str) -> None:
        """Forget a sent message."""


class SiteProgress:
    """Asks for progress and tells it; an answer that does not come is not waited for.

    Parameters
    ----------
    told : hears `progress` with site, phase and progress in [0, 1].
    record : keeps each message in the coordinator's audit log.
    """

    def __init__(
        self,
        link: Carries,
        settings: StudySettings,
        told: Told,
        *,
        record: Recorder = lambda direction, site, request, measured, verdict: None,
        every_s: float = _EVERY_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._link = link
        self._settings = settings
        self._told = told
        self._record = record
        self._every_s = every_s
        self._clock = clock
        self._asked_at = clock()
        self._tickets: dict[str, str] = {}
        self._request = Request(MessageType.PROGRESS, 0)

    def begin(self) -> None:
        """Start to wait for something: nothing is asked before it has taken a while."""
        self._asked_at = self._clock()

    def look(self, sites: Iterable[str], round_number: int) -> None:
        """Tell what has come of these sites, and ask them again when it is time."""
        for site, ticket in list(self._tickets.items()):
            with contextlib.suppress(ContractError):
                message = self._link.receive(ticket)
                if message is not None:
                    del self._tickets[site]
                    self._tell(site, message)
        if self._clock() - self._asked_at < self._every_s:
            return
        self._asked_at = self._clock()
        self.end()
        kind = MessageType.PROGRESS
        self._request = Request(kind, round_number)
        content = write_request(self._request, self._settings)
        for site in sites:
            with contextlib.suppress(ConnectionLost):
                ticket = self._link.send(site, kind.value, content, group=str(round_number))
                self._tickets[site] = ticket
                self._record("out", site, self._request, measure(content), PASSED)

    def end(self) -> None:
        """Forget what was asked and not answered."""
        for ticket in self._tickets.values():
            self._link.drop(ticket)
        self._tickets = {}

    def _tell(self, site: str, message: Message) -> None:
        if message.has_error():
            self._record("in", site, self._request, NOTHING, "refused")
            return
        self._record("in", site, self._request, measure(message.content), PASSED)
        reply = read_reply(MessageType.PROGRESS.value, message.content, self._settings)
        percent = reply.metrics["percent"]
        if isinstance(percent, int):
            self._told("progress", site=site, phase=reply.texts["phase"], progress=percent / 100)
