"""Files that a reader sees old or new, never torn; and who else on this machine may touch them."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from bs_common.errors import TrustError


def write_atomic(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Write `content` to `path` by temporary name, fsync and rename.

    Raises OSError as the system gives it (no space, read-only); `path` then keeps its old content.
    """
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Put a folder's names on disk; without it a rename can be lost in a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def check_private(folder: Path, *names: str) -> None:
    """Check that nobody else can write into a folder, and nobody else can read the named files.

    Raises TrustError with the command that mends it; a named file that is absent is passed over.
    """
    found = folder.stat()
    if found.st_uid != os.geteuid():
        raise TrustError(
            f"{folder}: belongs to another user",
            remedy="Run this as the user who made the folder.",
        )
    if found.st_mode & 0o022:
        raise TrustError(
            f"{folder}: other users can write into it",
            remedy=f"chmod 700 {folder}; if others had access, look at every file in it.",
        )
    for path in (folder / name for name in names):
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise TrustError(
                f"{path.name}: other users can read this file",
                remedy=f"chmod 600 {path}; if others had access to it, make a new key.",
            )
