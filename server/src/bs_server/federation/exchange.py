"""Asking several sites at once and waiting, within a deadline, for answers that pass screening."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from flwr.app import ArrayRecord, Message, RecordDict

from bs_common.architecture import NamedArrays
from bs_common.audit import PASSED, Direction, Passage
from bs_common.content import NOTHING, Measured, measure
from bs_common.errors import ConnectionLost, ContractError
from bs_common.messages import Reply, Request, read_reply, write_request
from bs_common.settings import StudySettings
from bs_server.federation.attendance import Attendance, Told
from bs_server.federation.site_progress import SiteProgress
from bs_server.results.summary import AWAY, DEADLINE

_log = logging.getLogger(__name__)
_POLL_S = 0.01


class Link(Protocol):
    """How messages reach the sites: Fleet API in a study, function calls in a test."""

    def online(self) -> frozenset[str]:
        """Names of the sites whose connection is alive now."""

    def connections(self, site: str) -> int:
        """How often the site has connected; a message sent before the last time is lost."""

    def send(self, site: str, message_type: str, content: RecordDict, *, group: str) -> str:
        """Queue a message and give the ticket for its reply."""

    def receive(self, ticket: str) -> Message | None:
        """Give the whole reply to a sent message, or None while there is none.

        Raises ContractError if what arrived is no message.
        """

    def drop(self, ticket: str) -> None:
        """Forget a sent message."""

    def record(self, passage: Passage) -> None:
        """Keep one passage in the coordinator's audit log."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the answers to one request are waited for.

    longest_s : after so many seconds the wait is over, whoever has answered.
    fewest : with so many answers the wait is over as soon as `patience_s` have passed, or all
        that are missing have been away for `away_s`.
    """

    longest_s: float
    fewest: int
    patience_s: float
    away_s: float

    def is_over(self, waited_s: float, answered: int, away_s: Iterable[float]) -> bool:
        """Tell whether to wait no longer; `away_s` is that of every site still missing."""
        if waited_s >= self.longest_s:
            return True
        if answered < self.fewest:
            return False
        return waited_s >= self.patience_s or all(away >= self.away_s for away in away_s)


def wait_for_all(seconds: float) -> Patience:
    """Give the patience that does without nobody until the deadline."""
    return Patience(seconds, fewest=10**9, patience_s=seconds, away_s=seconds)


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """Why a site's answer to a request cannot be used: a short code, never the site's own text."""

    reason: str


Answer = Reply | NoAnswer


@dataclass(frozen=True, slots=True)
class _Sent:
    """A request that was sent; without a ticket where the site has not come to this process yet."""

    ticket: str | None
    connection: int


def silent(event: str, **facts: object) -> None:
    """Tell nobody."""


class Exchange:
    """Requests to the sites of one study and their checked answers.

    Parameters
    ----------
    link : carries the messages.
    settings : what every message is checked against.
    deadline_s : seconds after which a missing answer becomes `NoAnswer("deadline")`, where a
        request brings no patience of its own.
    attendance : tells who is connected; without it everybody counts as present.
    pulse : called many times a second while waiting; an exception from it ends the wait.
    told : hears `asked` and `answered`, with site, message type and round, and `progress`.
    """

    def __init__(
        self,
        link: Link,
        settings: StudySettings,
        *,
        deadline_s: float,
        attendance: Attendance | None = None,
        pulse: Callable[[], None] = lambda: None,
        told: Told = silent,
    ) -> None:
        self._link = link
        self._settings = settings
        self._patience = wait_for_all(deadline_s)
        self._attendance = attendance
        self._pulse = pulse
        self._told = told
        self._written: tuple[NamedArrays | None, ArrayRecord | None] = None, None
        self._progress = SiteProgress(link, settings, told, record=self._record)

    def ask(
        self,
        request: Request,
        sites: tuple[str, ...],
        *,
        patience: Patience | None = None,
        answered: Callable[[str, Answer], None] = lambda site, answer: None,
    ) -> dict[str, Answer]:
        """Send one request to the sites and give every site's answer, in the order of `sites`.

        A site that connects anew before it answered is asked again with the same request.
        """
        patience = patience or self._patience
        content = self._write(request)
        measured = measure(content)
        waiting = {site: self._send(site, request, content, measured) for site in sites}
        answers: dict[str, Answer] = {}
        begun = time.monotonic()
        self._progress.begin()
        try:
            while waiting:
                self._collect(request, content, measured, waiting, answers, answered)
                usable = sum(isinstance(answer, Reply) for answer in answers.values())
                away = [self._away_s(site) for site in waiting]
                if patience.is_over(time.monotonic() - begun, usable, away):
                    break
                self._pulse()
                self._progress.look(waiting, request.round_number)
                time.sleep(_POLL_S)
        finally:
            self._progress.end()
            for sent in waiting.values():
                self._drop(sent)
        for site in waiting:
            reason = AWAY if self._away_s(site) > 0 else DEADLINE
            answers[site] = NoAnswer(reason)
            self._tell("answered", site, request, reason=reason)
        return {site: answers[site] for site in sites}

    def _write(self, request: Request) -> RecordDict:
        """Put a request into its form; weights that go out twice are copied and hashed once."""
        arrays, record = self._written
        again = record if request.arrays is arrays else None
        content = write_request(request, self._settings, arrays=again)
        if request.arrays:
            self._written = request.arrays, content.array_records["arrays"]
        return content

    def _collect(
        self,
        request: Request,
        content: RecordDict,
        measured: Measured,
        waiting: dict[str, _Sent],
        answers: dict[str, Answer],
        answered: Callable[[str, Answer], None],
    ) -> None:
        """Take the answers that have come, and ask those again that have connected anew."""
        for site, sent in list(waiting.items()):
            answer = self._receive(site, sent, request)
            if answer is not None:
                answers[site] = answer
                del waiting[site]
                reason = answer.reason if isinstance(answer, NoAnswer) else None
                self._tell("answered", site, request, reason=reason)
                answered(site, answer)
            elif self._link.connections(site) != sent.connection:
                self._drop(sent)
                waiting[site] = self._send(site, request, content, measured)

    def _away_s(self, site: str) -> float:
        return 0.0 if self._attendance is None else self._attendance.away_s(site)

    def _send(self, site: str, request: Request, content: RecordDict, measured: Measured) -> _Sent:
        # Counted before sending: a site that connects in between is asked twice rather than never.
        connection = self._link.connections(site)
        group = str(request.round_number)
        kind = request.message_type.value
        try:
            ticket = self._link.send(site, kind, content, group=group)
        except ConnectionLost:
            # A process that was started again knows no connection of the site: it asks when the
            # site comes, and the deadline runs.
            return _Sent(None, connection)
        self._record("out", site, request, measured, PASSED)
        self._tell("asked", site, request)
        return _Sent(ticket, connection)

    def _drop(self, sent: _Sent) -> None:
        if sent.ticket is not None:
            self._link.drop(sent.ticket)

    def _tell(self, event: str, site: str, request: Request, **facts: object) -> None:
        kind = request.message_type.value
        self._told(event, site=site, message=kind, round=request.round_number, **facts)

    def _receive(self, site: str, sent: _Sent, request: Request) -> Answer | None:
        if sent.ticket is None:
            return None
        carried = NOTHING
        try:
            message = self._link.receive(sent.ticket)
            if message is None:
                return None
            carried = measure(message.content) if message.has_content() else NOTHING
            answer = self._read(message, request)
        except ContractError as error:
            answer = NoAnswer(error.reason)
        verdict = answer.reason if isinstance(answer, NoAnswer) else PASSED
        self._record("in", site, request, carried, verdict)
        return answer

    def _record(
        self, direction: Direction, site: str, request: Request, measured: Measured, verdict: str
    ) -> None:
        self._link.record(
            Passage(
                direction=direction,
                message_type=request.message_type.value,
                round_number=request.round_number,
                keys=measured.keys,
                size_bytes=measured.size_bytes,
                content_sha256=measured.sha256,
                verdict=verdict,
                peer=site,
            )
        )

    def _read(self, message: Message, request: Request) -> Answer:
        if message.has_error():
            return NoAnswer(known_reason(message.error.reason))
        try:
            reply = read_reply(message.metadata.message_type, message.content, self._settings)
        except ContractError as error:
            _log.warning("reply refused: %s", error.reason)
            return NoAnswer(error.reason)
        if reply.message_type is not request.message_type:
            return NoAnswer("unknown_type")
        if reply.round_number != request.round_number:
            return NoAnswer("round")
        return reply


def known_reason(text: str | None) -> str:
    """Give a site's reason if it is one short code, else `unreadable_reason`."""
    if text is not None and len(text) <= 32 and text.replace("_", "").isalnum() and text.isascii():
        return text
    return "unreadable_reason"
