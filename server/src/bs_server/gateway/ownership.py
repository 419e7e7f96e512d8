"""What an admitted site may touch: the messages addressed to it and its own answers, nothing else.

Flower knows objects by their digest alone. Without this, a site could ask whether another site's
object exists, remove a message that waits for another site, or answer in its name.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from bs_common.sizes import MessageLimits
from bs_server.gateway.admission import Refused

_HANDED_OVER = 64  # messages of which a site may still pull objects; it works on one


@dataclass(slots=True)
class _Site:
    """What a site was handed, and what it announced.

    handed : digests of the objects of each message that it has not confirmed, by message id.
    may_answer : ids of messages that it has not answered.
    may_push : digests of the objects of its latest answer, of which `push_bytes` may still come.
    """

    handed: OrderedDict[str, frozenset[str]] = field(default_factory=OrderedDict)
    may_answer: set[str] = field(default_factory=set)
    may_push: set[str] = field(default_factory=set)
    push_bytes: int = 0

    def hand_over(self, message_id: str, objects: frozenset[str]) -> None:
        """Note one message of this site's."""
        self.may_answer.add(message_id)
        self.handed[message_id] = objects
        if len(self.handed) > _HANDED_OVER:
            self.handed.popitem(last=False)

    def may_pull(self, object_id: str) -> bool:
        """Tell whether an object belongs to a message of this site's."""
        return any(object_id in objects for objects in self.handed.values())


class Ownership:
    """What each site may touch now; safe to use from several threads.

    Parameters
    ----------
    node_id : number by which Flower knows a site, or None.
    limits : the largest answer of a site.
    """

    def __init__(self, *, node_id: Callable[[str], int | None], limits: MessageLimits) -> None:
        self._node_id = node_id
        self._limits = limits
        self._lock = threading.Lock()
        self._sites: dict[str, _Site] = {}

    def check(self, name: str, request: Any) -> None:
        """Raise Refused if a site's request (Flower's protobuf) reaches for what is not its own."""
        kind = type(request).__name__
        with self._lock:
            site = self._sites.setdefault(name, _Site())
            if kind == "PushMessagesRequest":
                self._check_answer(request, name, site)
            elif kind == "PushObjectRequest":
                _check_pushed(request, name, site)
            elif (kind == "PullObjectRequest" and not site.may_pull(request.object_id)) or (
                kind == "ConfirmMessageReceivedRequest"
                and site.handed.pop(request.message_object_id, None) is None
            ):
                raise Refused(403, "not_yours", name)

    def note(self, name: str, response: Any) -> None:
        """Note the messages that a site is being handed in a response (Flower's protobuf)."""
        if type(response).__name__ == "PullMessagesResponse":
            pairs = zip(response.messages_list, response.message_object_trees, strict=True)
            with self._lock:
                site = self._sites.setdefault(name, _Site())
                for message, tree in pairs:
                    site.hand_over(message.metadata.message_id, frozenset(_object_ids(tree)))

    def _check_answer(self, request: Any, name: str, site: _Site) -> None:
        if len(request.messages_list) != 1 or len(request.message_object_trees) != 1:
            raise Refused(400, "not_one_message", name)
        metadata = request.messages_list[0].metadata
        objects = set(_object_ids(request.message_object_trees[0]))
        answered = metadata.reply_to_message_id
        if metadata.src_node_id != self._node_id(name) or answered not in site.may_answer:
            raise Refused(403, "not_yours", name)
        if len(objects) > self._limits.objects:
            raise Refused(413, "too_large", name)
        site.may_answer.discard(answered)
        site.may_push, site.push_bytes = objects, self._limits.message_bytes


def _check_pushed(request: Any, name: str, site: _Site) -> None:
    if request.object_id not in site.may_push:
        raise Refused(403, "not_yours", name)
    site.push_bytes -= len(request.object_content)
    if site.push_bytes < 0:
        raise Refused(413, "too_large", name)


def _object_ids(tree: Any) -> Iterator[str]:
    """Give the id of every object of a tree."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node.object_id
        waiting.extend(node.children)
