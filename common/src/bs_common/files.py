"""Files that a reader sees old or new, never torn; and who else on this machine may touch them."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bs_common.errors import StorageFailed, TrustError

_ON = "Nothing written before was damaged; start again afterwards and the work goes on."
_REMEDIES = {
    errno.ENOSPC: "Free space on the disk that holds {folder}.",
    errno.EDQUOT: "Free space within this user's quota, or have it raised.",
    errno.EROFS: "Mount the disk of {folder} writable again; if it turned read-only by itself, "
    "look into the system's log for errors of the disk first.",
    errno.EACCES: "Let this user write to {folder}.",
    errno.EPERM: "Let this user write to {folder}.",
    errno.EFBIG: "Raise the limit on the size of files (ulimit -f), or move {folder} to a file "
    "system that takes larger ones.",
    errno.EIO: "The disk of {folder} reports faults: copy the folder elsewhere and have the disk "
    "looked at.",
    errno.ENOENT: "Check that {folder} exists and that its disk is mounted.",
}


@contextmanager
def storing_in(folder: Path) -> Iterator[None]:
    """Turn any OSError of writing in `folder` into StorageFailed with what to do about it."""
    try:
        yield
    except StorageFailed:
        raise
    except OSError as error:
        remedy = _REMEDIES.get(error.errno or 0, "Check the disk and the rights of {folder}.")
        raise StorageFailed(
            f"Cannot write in {folder}: {error.strerror or type(error).__name__}.",
            remedy=f"{remedy.format(folder=folder)} {_ON}",
            number=error.errno,
        ) from error


def write_atomic(
    path: Path, *content: bytes | memoryview, mode: int = 0o644, durable: bool = True
) -> None:
    """Write `content`, piece after piece, to `path` by temporary name, fsync and rename.

    Without `durable` the system chooses when it is on disk: a killed process loses nothing; after a
    power cut the file may be torn or the older one, which whoever reads it has to find out.

    Raises StorageFailed (no space, read-only, no right); `path` then keeps its old content.
    """
    with storing_in(path.parent):
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                os.fchmod(file.fileno(), mode)
                file.writelines(content)
                file.flush()
                if durable:
                    os.fsync(file.fileno())
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        if durable:
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


def require_space(folder: Path, needed_bytes: int, *, what: str) -> None:
    """Raise StorageFailed unless the disk of `folder` has room for what is about to be written.

    Asking before the work is done spares a round that could not be kept. A quota is not seen
    here; it shows when the file is written.
    """
    with storing_in(folder):
        free = shutil.disk_usage(folder).free
    if free < needed_bytes:
        raise StorageFailed(
            f"{what} needs {_mega(needed_bytes)}, and the disk of {folder} has {_mega(free)} left.",
            remedy=f"{_REMEDIES[errno.ENOSPC].format(folder=folder)} {_ON}",
            number=errno.ENOSPC,
        )


def _mega(count: int) -> str:
    return f"{count / 1e6:.1f} MB"
