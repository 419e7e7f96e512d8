"""Asking several sites at once and waiting, within a deadline, for answers that pass screening."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from flwr.app import Message, RecordDict

from bs_common.audit import PASSED, Direction, Passage
from bs_common.content import NOTHING, Measured, measure
from bs_common.errors import ContractError
from bs_common.messages import Reply, Request, read_reply, write_request
from bs_common.settings import StudySettings

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
class NoAnswer:
    """Why a site's answer to a request cannot be used: a short code, never the site's own text."""

    reason: str


Answer = Reply | NoAnswer


@dataclass(frozen=True, slots=True)
class _Sent:
    ticket: str
    connection: int


class Exchange:
    """Requests to the sites of one study and their checked answers.

    Parameters
    ----------
    link : carries the messages.
    settings : what every message is checked against.
    deadline_s : seconds after which a missing answer becomes `NoAnswer("deadline")`.
    """

    def __init__(self, link: Link, settings: StudySettings, *, deadline_s: float) -> None:
        self._link = link
        self._settings = settings
        self._deadline_s = deadline_s

    def ask(
        self,
        request: Request,
        sites: tuple[str, ...],
        *,
        answered: Callable[[str, Answer], None] = lambda site, answer: None,
    ) -> dict[str, Answer]:
        """Send one request to the sites and give every site's answer, in the order of `sites`.

        A site that connects anew before it answered is asked again with the same request.
        """
        content = write_request(request, self._settings)
        measured = measure(content)
        waiting = {site: self._send(site, request, content, measured) for site in sites}
        answers: dict[str, Answer] = {}
        end = time.monotonic() + self._deadline_s
        while waiting and time.monotonic() < end:
            for site, sent in list(waiting.items()):
                answer = self._receive(site, sent.ticket, request)
                if answer is not None:
                    answers[site] = answer
                    answered(site, answer)
                    del waiting[site]
                elif self._link.connections(site) != sent.connection:
                    self._link.drop(sent.ticket)
                    waiting[site] = self._send(site, request, content, measured)
            time.sleep(_POLL_S)
        for site, sent in waiting.items():
            self._link.drop(sent.ticket)
            answers[site] = NoAnswer("deadline")
        return {site: answers[site] for site in sites}

    def _send(self, site: str, request: Request, content: RecordDict, measured: Measured) -> _Sent:
        # Counted before sending: a site that connects in between is asked twice rather than never.
        connection = self._link.connections(site)
        self._record("out", site, request, measured, PASSED)
        group = str(request.round_number)
        ticket = self._link.send(site, request.message_type.value, content, group=group)
        return _Sent(ticket, connection)

    def _receive(self, site: str, ticket: str, request: Request) -> Answer | None:
        carried = NOTHING
        try:
            message = self._link.receive(ticket)
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
