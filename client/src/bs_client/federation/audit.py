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
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Literal

from bs_common.errors import ConfigError, TrustError

_START = "0" * 64
_KEEP = "Keep the file as evidence and find out who wrote to it; move it away to begin a new one."


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


_KEYS = {"time", "previous", *(field.name for field in fields(Passage))}


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
        line = json.dumps(entry, separators=(",", ":")).encode("ascii") + b"\n"
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "ab") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
        self._last = _hash(line)


def read_entries(path: Path) -> list[Mapping[str, object]]:
    """Read a log's entries after verifying its chain; raises ConfigError if there is no log."""
    if not path.exists():
        raise ConfigError(
            f"{path} is not there: nothing has passed yet.",
            remedy="bs-client run SITE_DIR writes it with the first message.",
        )
    verify(path)
    return [json.loads(line) for line in _lines(path)]


def verify(path: Path) -> str:
    """Check the chain and give the hash of its last line; raises TrustError at the first break.

    A chain holds what follows: a change of the last line's values, or lines cut off the end, show
    only against a hash that was noted elsewhere.
    """
    last = _START
    for number, line in enumerate(_lines(path), start=1):
        entry = _entry(line)
        if not entry:
            raise TrustError(f"{path.name}: line {number} is not an entry of the log", remedy=_KEEP)
        if entry["previous"] != last:
            raise TrustError(f"{path.name}: the chain breaks before line {number}", remedy=_KEEP)
        last = _hash(line)
    return last


def _lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


def _entry(line: bytes) -> dict[str, object]:
    """Read one whole line, ending included; anything else gives an empty entry."""
    try:
        entry = json.loads(line.decode("ascii"))
    except ValueError:
        return {}
    whole = isinstance(entry, dict) and set(entry) == _KEYS and line.endswith(b"}\n")
    return entry if whole else {}


def _hash(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()
