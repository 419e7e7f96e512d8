"""The site's record of everything that passed its door: append-only, each line chained to the last.

A line is JSON with the time, the direction, the message type, its keys, its size, the SHA-256 of
its content, the verdict, and the SHA-256 of the line before. Lines are on disk before the message
goes on.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from bs_common.errors import TrustError

_START = "0" * 64


@dataclass(frozen=True, slots=True)
class Passage:
    """One message at the door.

    verdict : ``passed``, or the short code of the rule that stopped it.
    keys : names of what it carries, never values.
    """

    direction: Literal["in", "out"]
    message_type: str
    round_number: int
    keys: tuple[str, ...]
    size_bytes: int
    content_sha256: str
    verdict: str


class AuditLog:
    """The log of one site; opening it verifies the lines that are there.

    Parameters
    ----------
    path : file of the log; made with mode 0600 if absent.
    clock : gives the time now, in UTC.

    Raises
    ------
    TrustError naming the first line that was changed, added or removed inside the chain.
    """

    def __init__(self, path: Path, clock: Callable[[], datetime.datetime]) -> None:
        self._path = path
        self._clock = clock
        self._last = verify(path) if path.exists() else _START

    def record(self, passage: Passage) -> None:
        """Append one passage; it is on disk when this returns."""
        entry = {"time": self._clock().isoformat(), **asdict(passage), "previous": self._last}
        line = json.dumps(entry, separators=(",", ":")) + "\n"
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, line.encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        self._last = _hash(line)


def read_entries(path: Path) -> list[Mapping[str, object]]:
    """Read a log's entries after verifying its chain."""
    verify(path)
    return [json.loads(line) for line in path.read_text().splitlines()]


def verify(path: Path) -> str:
    """Check the chain and give the hash of its last line; raises TrustError at the first break."""
    last = _START
    for number, line in enumerate(path.read_text().splitlines(keepends=True), start=1):
        try:
            previous = json.loads(line)["previous"]
        except (ValueError, KeyError, TypeError) as error:
            raise TrustError(f"{path.name}: line {number} is not an entry of the log") from error
        if previous != last:
            raise TrustError(f"{path.name}: the chain breaks before line {number}")
        last = _hash(line)
    return last


def _hash(line: str) -> str:
    return hashlib.sha256(line.encode()).hexdigest()
