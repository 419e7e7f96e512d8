"""The one door of a site: every request is checked and recorded here, and every answer.

Nothing passes that the contract does not name; small counts are hidden; an exception becomes a
short code and its text stays in the site's own log.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from flwr.app import Context, Error, Message, RecordDict

from bs_client.federation.small_cells import hide_small_cells
from bs_common.audit import PASSED, AuditLog, Passage
from bs_common.content import measure
from bs_common.contract import REQUESTS_BY_ROLE
from bs_common.errors import BoneScanError, ContractError
from bs_common.messages import read_reply, write_reply
from bs_common.settings import Role, StudySettings

_Call = Callable[[Message, Context], Message]

_log = logging.getLogger(__name__)
_NOT_FOR_THIS_ROLE = "not_for_this_role"
_REFUSED = 1  # Flower wants a number with an error; the reason says which


@dataclass(frozen=True, slots=True)
class Gate:
    """A Flower mod, laid around the whole client app.

    settings : what the site agreed to; a message of any other study is refused.
    role : decides which requests are answered at all.
    min_cell : the smallest count that leaves.
    """

    settings: StudySettings
    role: Role
    min_cell: int
    audit: AuditLog

    def __call__(self, message: Message, context: Context, call_next: _Call) -> Message:
        """Let a request in and its answer out, or answer with the code of what was wrong."""
        kind = message.metadata.message_type
        request = message.content if message.has_content() else RecordDict()
        allowed = kind in REQUESTS_BY_ROLE[self.role]
        unread = message.error.reason if message.has_error() else None
        self._record("in", message, request, unread or (PASSED if allowed else _NOT_FOR_THIS_ROLE))
        try:
            if unread is not None:
                raise ContractError(unread, "a request that this site did not take in")
            if not allowed:
                raise ContractError(_NOT_FOR_THIS_ROLE, f"a request that {self.role} never answers")
            content = self._checked(kind, call_next(message, context).content)
        except ContractError as error:
            return self._refuse(message, error.reason, error)
        except BoneScanError as error:
            return self._refuse(message, error.code, error)
        except Exception as error:  # noqa: BLE001 - whatever happens, its text stays here
            return self._refuse(message, "internal", error)
        self._record("out", message, content, PASSED)
        return Message(content, reply_to=message)

    def _checked(self, kind: str, content: RecordDict) -> RecordDict:
        # Written anew, so that nothing leaves but what was read and checked.
        reply = read_reply(kind, content, self.settings)
        return write_reply(hide_small_cells(reply, self.min_cell), self.settings)

    def _refuse(self, message: Message, reason: str, error: Exception) -> Message:
        _log.error("refused %s: %s", reason, error, exc_info=reason == "internal")
        self._record("out", message, RecordDict(), reason)  # nothing but the reason leaves
        return Message(Error(_REFUSED, reason), reply_to=message)

    def _record(
        self,
        direction: Literal["in", "out"],
        message: Message,
        content: RecordDict,
        verdict: str,
    ) -> None:
        measured = measure(content)
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


def _round_of(message: Message) -> int:
    config = message.content.config_records.get("config") if message.has_content() else None
    value = config.get("round") if config is not None else None
    return value if isinstance(value, int) else -1
