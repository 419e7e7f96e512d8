"""Messages between the coordinator and sites of the same process: function calls, no socket."""

from __future__ import annotations

from collections.abc import Mapping

from flwr.app import Context, Message, RecordDict

from bs_common.audit import AuditLog, Passage
from bs_common.flower_objects import identify_process
from bs_common.simulation import App

_TTL_S = 365 * 24 * 3600.0  # Flower forgets a message after its lifetime; the study's own decide
_COORDINATOR = 1  # Flower wants numbers for the parties and the run


class InProcessLink:
    """Carries a message to a site by calling its app, which answers before `send` returns.

    Parameters
    ----------
    apps : each site's client app, whole and behind its gate.
    audit : keeps a line of every message.
    """

    def __init__(self, apps: Mapping[str, App], audit: AuditLog) -> None:
        identify_process(run_id=1, task_id=1, node_id=_COORDINATOR)
        self._apps = dict(sorted(apps.items()))
        self._audit = audit
        self._node_ids = {name: number for number, name in enumerate(self._apps, _COORDINATOR + 1)}
        self._replies: dict[str, Message] = {}
        self._sent = 0

    def online(self) -> frozenset[str]:
        """Names of the sites, which are always there."""
        return frozenset(self._apps)

    def connections(self, _site: str) -> int:
        """How often the site has connected: once."""
        return 1

    def send(self, site: str, message_type: str, content: RecordDict, *, group: str) -> str:
        """Call the site's app and give the ticket for its reply."""
        node_id = self._node_ids[site]
        message = Message(content, node_id, message_type, group_id=group, ttl=_TTL_S)
        context = Context(message.metadata.run_id, node_id, {}, RecordDict(), {})
        reply = self._apps[site](message, context)
        self._sent += 1
        ticket = str(self._sent)
        self._replies[ticket] = reply
        return ticket

    def receive(self, ticket: str) -> Message | None:
        """Give the reply to a sent message, once."""
        return self._replies.pop(ticket, None)

    def drop(self, ticket: str) -> None:
        """Forget a sent message."""
        self._replies.pop(ticket, None)

    def record(self, passage: Passage) -> None:
        """Keep one passage in the coordinator's audit log."""
        self._audit.record(passage)
