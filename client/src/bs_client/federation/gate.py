"""The one door of a site: every request is checked and recorded here, and every answer.

Nothing passes that the contract does not name; small counts are hidden; an exception becomes a
short code and its text stays in the site's own log.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from flwr.app import Context, Error, Message, RecordDict

from bs_client.config import Policy
from bs_client.federation.asked import Asked
from bs_client.federation.policy import find_refusal, smallest_count
from bs_client.federation.small_cells import hide_small_cells
from bs_common.audit import PASSED, AuditLog, Passage
from bs_common.content import NOTHING, Measured, measure
from bs_common.contract import REQUESTS_BY_ROLE, requests_of
from bs_common.errors import BoneScanError, ContractError
from bs_common.messages import read_reply, read_request, write_reply
from bs_common.settings import Role, StudySettings

_Call = Callable[[Message, Context], Message]

_log = logging.getLogger(__name__)
_NOT_TAKEN_IN = ("too_large", "unreadable")
_NOT_FOR_THIS_ROLE = "not_for_this_role"
_NOT_AGREED = "not_agreed"
_REFUSED = 1  # Flower wants a number with an error; the reason says which


@dataclass(frozen=True, slots=True)
class Gate:
    """A Flower mod, laid around the whole client app.

    settings : what the site agreed to; a message of any other study is refused.
    role : decides which requests are answered at all.
    policy : what the site allows beyond that; the study can only ask for more caution.
    asked : how often what was asked before.
    refused : told the code of each refusal, after it was recorded.
    """

    settings: StudySettings
    role: Role
    policy: Policy
    audit: AuditLog
    asked: Asked = field(default_factory=Asked)
    refused: Callable[[str], None] = lambda code: None

    def __call__(self, message: Message, context: Context, call_next: _Call) -> Message:
        """Let a request in and its answer out, or answer with the code of what was wrong."""
        kind = message.metadata.message_type
        request = message.content if message.has_content() else RecordDict()
        measured = measure(request)
        try:
            self._admit(message, request, measured)
        except Exception as error:  # noqa: BLE001 - a stranger's request may be anything
            self._record("in", message, measured, _code_of(error))
            return self._refuse(message, error)
        self._record("in", message, measured, PASSED)
        try:
            content = self._checked(kind, call_next(message, context).content)
        except Exception as error:  # noqa: BLE001 - whatever happens, its text stays here
            return self._refuse(message, error)
        self._record("out", message, measure(content), PASSED)
        return Message(content, reply_to=message)

    def _admit(self, message: Message, request: RecordDict, measured: Measured) -> None:
        """Raise ContractError unless role, contract, policy and earlier requests allow this one."""
        kind = message.metadata.message_type
        if message.has_error():
            # The link's own word; what a coordinator writes as an error goes no further.
            told = message.error.reason or ""
            reason = told if told in _NOT_TAKEN_IN else "unreadable"
            raise ContractError(reason, "a request that this site did not take in")
        if kind not in REQUESTS_BY_ROLE[self.role]:
            raise ContractError(_NOT_FOR_THIS_ROLE, f"a request that {self.role} never answers")
        if kind not in requests_of(self.role, self.settings):
            raise ContractError(_NOT_AGREED, f"a {kind} request is no part of this study")
        asked = read_request(kind, request, self.settings)
        code = find_refusal(self.policy, asked, self.settings)
        if code is not None:
            raise ContractError(
                code,
                f"the site's policy does not allow this {kind} request",
                remedy="Tell the coordinator; or, if the site may, change [policy] in site.toml.",
            )
        self.asked.admit(kind, asked.round_number, measured.sha256)

    def _checked(self, kind: str, content: RecordDict) -> RecordDict:
        # Written anew, so that nothing leaves but what was read and checked.
        reply = read_reply(kind, content, self.settings)
        safe = hide_small_cells(reply, smallest_count(self.policy, self.settings))
        return write_reply(safe, self.settings, read_from=content)

    def _refuse(self, message: Message, error: Exception) -> Message:
        reason = _code_of(error)
        remedy = error.remedy if isinstance(error, BoneScanError) else ""
        _log.error("refused %s: %s %s", reason, error, remedy, exc_info=reason == "internal")
        self._record("out", message, NOTHING, reason)  # nothing but the reason leaves
        self.refused(reason)
        return Message(Error(_REFUSED, reason), reply_to=message)

    def _record(
        self,
        direction: Literal["in", "out"],
        message: Message,
        measured: Measured,
        verdict: str,
    ) -> None:
        self.audit.record(
            Passage(
                direction=direction,
                message_type=message.metadata.message_type[:64],
                round_number=_round_of(message),
                keys=measured.keys,
                size_bytes=measured.size_bytes,
                content_sha256=measured.sha256,
                verdict=verdict,
            )
        )


def _code_of(error: Exception) -> str:
    if isinstance(error, ContractError):
        return error.reason
    return error.code if isinstance(error, BoneScanError) else "internal"


def _round_of(message: Message) -> int:
    config = message.content.config_records.get("config") if message.has_content() else None
    value = config.get("round") if config is not None else None
    return value if isinstance(value, int) else -1
