"""One process at a time in a folder, by a lock that the system takes from a killed one.

The lock is `flock` on a file of the folder; the file's content tells people who holds it and means
nothing by itself. The file stays when the lock is given back.
"""

from __future__ import annotations

import datetime
import errno
import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from bs_common.errors import ConfigError, FolderInUse
from bs_common.files import storing_in

LOCK_NAME = "lock.json"
_PATIENCE_S = 1.0  # somebody who looks (`find_owner`) holds the lock for a moment
_RETRY_S = 0.05


class Owner(BaseModel):
    """The process that holds a folder, as it wrote of itself; `since` is UTC."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    pid: int
    host: str
    program: str
    since: datetime.datetime


@contextmanager
def own_folder(folder: Path, *, program: str) -> Iterator[None]:
    """Hold `folder` while the context is open; after kill -9 the next process gets it at once.

    Raises
    ------
    FolderInUse
        If another process holds it; the message names its pid and host.
    ConfigError
        If the file system knows no locks.
    """
    path = folder / LOCK_NAME
    with storing_in(folder):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not _locked(descriptor, fcntl.LOCK_EX, patience_s=_PATIENCE_S):
            raise _in_use(folder, _read_owner(path))
        _write_owner(descriptor, folder, program)
        yield
    finally:
        os.close(descriptor)  # gives the lock back


def find_owner(folder: Path) -> Owner | None:
    """Give the process that holds `folder` now, or None where nobody does."""
    path = folder / LOCK_NAME
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        free = _locked(descriptor, fcntl.LOCK_SH, patience_s=0)
    finally:
        os.close(descriptor)
    return None if free else _read_owner(path)


def _locked(descriptor: int, kind: int, *, patience_s: float) -> bool:
    end = time.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= end:
                return False
            time.sleep(_RETRY_S)
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.ENOTSUP):
                raise
            raise ConfigError(
                "The file system of this folder knows no locks.",
                remedy="Put the folder on a local disk: without a lock two processes could "
                "write into it at once.",
            ) from error


def _write_owner(descriptor: int, folder: Path, program: str) -> None:
    owner = Owner(
        pid=os.getpid(),
        host=socket.gethostname(),
        program=program,
        since=datetime.datetime.now(datetime.UTC),
    )
    with storing_in(folder):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, owner.model_dump_json().encode() + b"\n", 0)


def _read_owner(path: Path) -> Owner:
    """Read who holds the folder; between locking and writing it is not known for a moment."""
    try:
        return Owner.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return Owner(
            pid=0, host="?", program="?", since=datetime.datetime.fromtimestamp(0, tz=datetime.UTC)
        )


def _in_use(folder: Path, owner: Owner) -> FolderInUse:
    return FolderInUse(
        f"{folder} is in use by {owner.program}, process {owner.pid} on {owner.host}, "
        f"since {owner.since.isoformat(timespec='seconds')}.",
        remedy="Let it work, or end it there first; its lock ends with it, whatever ends it.",
    )
