"""The record of everything that passed a party's door: append-only, each line chained to the last.

A line is JSON with the time, the peer, the direction, the message type, its round, its keys, its
size, the SHA-256 of its content, the verdict, and the SHA-256 of the line before. A line is on disk
before the message goes on, and it counts from its line end on: what a power cut left without one
belongs to a message that never went on. The next line then begins with those bytes and says so.
"""

from __future__ import annotations

import datetime
import hashlib
import io
import json
import os
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from bs_common.errors import ConfigError, TrustError
from bs_common.files import storing_in

Direction = Literal["in", "out", "local"]

PASSED = "passed"
TORN_LINE = "torn_line"  # verdict on the bytes that a power cut left of a line
START = "0" * 64  # what the first line follows
_ENTRY_START = b'{"time":'  # cannot occur inside an entry: quotes are escaped in JSON
_KEEP = "Keep the file as evidence and find out who wrote to it; move it away to begin a new one."


@dataclass(frozen=True, slots=True)
class Passage:
    """One message at the door, or something of this machine's own (direction ``local``).

    keys : names of what it carries, never values.
    size_bytes, content_sha256 : as `bs_common.content.measure` gives them.
    verdict : ``passed``, or the short code of the rule that stopped it.
    peer : who is on the other side; for a site that is always the coordinator.
    count : how many passages of this kind the line stands for; above one only for refusals that
        came too fast for a line each.
    """

    direction: Direction
    message_type: str
    round_number: int
    keys: tuple[str, ...]
    size_bytes: int
    content_sha256: str
    verdict: str
    peer: str = "coordinator"
    count: int = 1


Entry = Mapping[str, object]  # the fields of a passage, with `time` and `previous`

_TYPES = {
    "time": str,
    "previous": str,
    "keys": list,
    **dict.fromkeys(("direction", "message_type", "content_sha256", "verdict", "peer"), str),
    **dict.fromkeys(("round_number", "size_bytes", "count"), int),
}


@dataclass(frozen=True, slots=True)
class Chain:
    """A log whose every line follows from the one before.

    hashes : SHA-256 of each line, in order.
    torn_bytes : bytes after the last line end, left by a power cut or being written now.
    """

    entries: tuple[Entry, ...]
    hashes: tuple[str, ...]
    torn_bytes: int

    @property
    def head(self) -> str:
        """Hash of the last line: whoever noted it can prove all lines up to there."""
        return self.hashes[-1] if self.hashes else START


class AuditLog:
    """The log of one party; opening it verifies the lines that are there.

    Parameters
    ----------
    path : file of the log; made with mode 0600 if absent.
    clock : gives the time now, in UTC.

    Raises
    ------
    TrustError naming the first line that was changed, added or removed inside the chain, and when
    another process has written to the file since.
    """

    def __init__(self, path: Path, clock: Callable[[], datetime.datetime]) -> None:
        self._path = path
        self._clock = clock
        content = path.read_bytes() if path.exists() else b""
        chain = _read_chain(content, path.name)
        self._last, self._size = chain.head, len(content)
        self._torn = content[len(content) - chain.torn_bytes :]
        self._lock = threading.Lock()  # a coordinator's log has two threads that write
        if self._torn:
            self.record(_torn_passage(self._torn))

    def record(self, passage: Passage) -> None:
        """Append one passage; it is on disk when this returns.

        Raises StorageFailed, with the log as it was, if the disk refuses.
        """
        with self._lock:
            entry = {"time": self._clock().isoformat(), **asdict(passage), "previous": self._last}
            line = _text(entry) + b"\n"
            self._append(line)
            self._size += len(line)
            self._last = _hash(self._torn + line)
            self._torn = b""

    def _append(self, line: bytes) -> None:
        with storing_in(self._path.parent):
            descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            with os.fdopen(descriptor, "ab", buffering=0) as file:
                if os.fstat(file.fileno()).st_size != self._size:
                    raise TrustError(
                        f"{self._path.name}: something else writes to this log",
                        remedy="Run one process in this folder; then start it again.",
                    )
                try:
                    _write_whole(file, line)
                    os.fsync(file.fileno())
                except BaseException:  # a full disk, an interrupt: the log stays as it was
                    with suppress(OSError):
                        file.truncate(self._size)
                    raise


def _write_whole(file: io.FileIO, line: bytes) -> None:
    left = memoryview(line)
    while left:
        left = left[file.write(left) :]


def read_log(path: Path) -> Chain:
    """Read a log and verify its chain.

    Raises
    ------
    ConfigError if there is no log, TrustError at the first line that does not fit. A chain holds
    what follows: a change of the last line's values, or lines cut off the end, show only against
    a head that was noted elsewhere, or against the other party's log.
    """
    if not path.exists():
        raise ConfigError(
            f"{path} is not there: nothing has passed yet.",
            remedy="bs-client run or bs-server run writes it with the first message.",
        )
    return _read_chain(path.read_bytes(), path.name)


def read_entries(path: Path) -> list[Entry]:
    """Read a log's entries after verifying its chain."""
    return list(read_log(path).entries)


def verify(path: Path) -> str:
    """Check the chain and give its head."""
    return read_log(path).head


def find_noted(chain: Chain, noted: str) -> int:
    """Give the number of the line whose hash was noted earlier; all up to there is as it was.

    Raises TrustError if no line has this hash.
    """
    if noted not in chain.hashes:
        raise TrustError(
            "no line of this log has the noted hash: it was changed, or lines were cut off",
            remedy=_KEEP,
        )
    return chain.hashes.index(noted) + 1


def _read_chain(content: bytes, name: str) -> Chain:
    *lines, torn = content.split(b"\n")
    entries: list[Entry] = []
    hashes = [START]
    for number, line in enumerate(lines, start=1):
        entry = _entry(line)
        if not entry:
            raise TrustError(f"{name}: line {number} is not an entry of the log", remedy=_KEEP)
        if entry["previous"] != hashes[-1]:
            raise TrustError(f"{name}: the chain breaks before line {number}", remedy=_KEEP)
        entries.append(entry)
        hashes.append(_hash(line + b"\n"))
    return Chain(tuple(entries), tuple(hashes[1:]), len(torn))


def _entry(line: bytes) -> Entry:
    """Read one line in the one form that is written; anything else gives an empty entry."""
    at = max(line.rfind(_ENTRY_START), 0)
    torn, text = line[:at], line[at:]
    try:
        entry = json.loads(text.decode("ascii"))
    except (ValueError, RecursionError):
        return {}
    whole = (
        isinstance(entry, dict)
        and {name: type(value) for name, value in entry.items()} == _TYPES
        and _text(entry) == text
    )
    return entry if whole and _accounts_for(entry, torn) else {}


def _accounts_for(entry: Entry, torn: bytes) -> bool:
    if not torn:
        return entry["verdict"] != TORN_LINE
    said = asdict(_torn_passage(torn))
    return all(entry[name] == said[name] for name in ("verdict", "size_bytes", "content_sha256"))


def _torn_passage(torn: bytes) -> Passage:
    return Passage("local", "audit", -1, (), len(torn), _hash(torn), TORN_LINE)


def _text(entry: Entry) -> bytes:
    return json.dumps(entry, separators=(",", ":")).encode("ascii")


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
