"""Refused requests, counted and written to the audit log without letting a flood fill the disk.

The first of a kind is a line at once; what comes faster than a few a minute is added up, and each
minute's sum is one line.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

from bs_common.audit import Passage
from bs_common.content import NOTHING

_LINES_A_MINUTE = 20
_MINUTE_S = 60.0
_MANY_PEERS = "many"  # stands for all addresses once a minute has seen too many to name


@dataclass(frozen=True, slots=True)
class _Kind:
    peer: str
    asked: str
    reason: str


class Refusals:
    """What the door refused; `note` is cheap and may be called anywhere, `write` does the rest.

    Parameters
    ----------
    record : writes one line of the audit log.
    clock : seconds that only rise.
    """

    def __init__(
        self, record: Callable[[Passage], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._record = record
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: Counter[_Kind] = Counter()
        self._minute, self._lines = clock(), 0
        self.total: Counter[str] = Counter()

    def note(self, peer: str, asked: str, reason: str) -> None:
        """Count one refusal: who asked (site or address), for what, and why it was refused."""
        kind = _Kind(peer, asked, reason)
        with self._lock:
            self.total[reason] += 1
            if kind not in self._waiting and len(self._waiting) >= _LINES_A_MINUTE:
                kind = replace(kind, peer=_MANY_PEERS)
            self._waiting[kind] += 1

    def write(self, *, all_of_them: bool = False) -> None:
        """Write what is due: single lines while the minute has room, the rest when it ends."""
        due = self._due(all_of_them=all_of_them)
        for kind, count in due:
            self._record(
                Passage(
                    direction="in",
                    message_type=kind.asked,
                    round_number=-1,
                    keys=(),
                    size_bytes=0,
                    content_sha256=NOTHING.sha256,
                    verdict=kind.reason,
                    peer=kind.peer,
                    count=count,
                )
            )

    def _due(self, *, all_of_them: bool) -> list[tuple[_Kind, int]]:
        with self._lock:
            ended = self._clock() - self._minute >= _MINUTE_S
            if ended:
                self._minute, self._lines = self._clock(), 0
            if not (ended or all_of_them) and self._lines + len(self._waiting) > _LINES_A_MINUTE:
                return []
            due = list(self._waiting.items())
            self._lines += len(due)
            self._waiting.clear()
            return due
