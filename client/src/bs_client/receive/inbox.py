"""Admit one received object and keep it in a folder; the network is left to `server`."""

from __future__ import annotations

import errno
import hashlib
from dataclasses import dataclass
from enum import IntEnum
from io import BytesIO
from pathlib import Path
from threading import Lock
from typing import Protocol

from pydicom import dcmread
from pydicom.uid import UID

from bs_client.dicom import Refusal
from bs_client.dicom.admission import admit
from bs_client.dicom.codes import refused
from bs_client.dicom.dataset_file import PYDICOM_FAILURES, DatasetFile, quiet_pydicom
from bs_client.dicom.header import header_of
from bs_common.errors import ConfigError, ScanRefused
from bs_common.files import write_atomic

ACCEPTED = "accepted"
NAME_DIGITS = 32  # of a SHA-256 in hexadecimal: 128 bits
# Refusals that say the bytes make no image; all others say that it is not a bone scan.
UNREADABLE = frozenset(
    (Refusal.E_NOT_DICOM, Refusal.E_NO_TRANSFER_SYNTAX, Refusal.E_TRUNCATED, Refusal.E_NO_PIXELS)
)


class StoreStatus(IntEnum):
    """Status of a C-STORE response (PS3.4 B.2.3)."""

    SUCCESS = 0x0000
    OUT_OF_RESOURCES = 0xA700
    DATA_SET_MISMATCH = 0xA900
    CANNOT_UNDERSTAND = 0xC000


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one object: the answer to the sender, and the one word for the log.

    code : ``"accepted"``, an `E_...` code of ingest, or ``"E_STORAGE"`` and the system's own code
        where the disk failed.
    """

    status: StoreStatus
    code: str


class Writer(Protocol):
    """Writes a whole file or nothing, as `write_atomic` does."""

    def __call__(self, path: Path, content: bytes, /, *, mode: int) -> None:
        """Write `content` to `path`, or raise OSError and leave `path` as it was."""


class Inbox:
    """A folder of received objects, one file for each SOP Instance UID.

    folder : made if absent, readable by its owner alone. What a killed run left half written is
        removed.
    write : how a file is written.

    Raises ConfigError if the folder cannot be made or written to.
    """

    def __init__(self, folder: Path, *, write: Writer = write_atomic) -> None:
        self.folder = folder
        self._write = write
        self._checking = Lock()
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for unfinished in folder.glob(".*.dcm.*"):
                unfinished.unlink()
        except OSError as error:
            raise ConfigError(
                f"The inbox cannot be used: {error.strerror}.",
                remedy="Give --inbox a folder that this account may make and write to.",
            ) from error

    def store(self, content: bytes, sop_instance_uid: str) -> Outcome:
        """Check an object by its header and keep it; the same object again is the same file.

        content : a whole DICOM file (PS3.10), with its file meta information.
        """
        try:
            # Silencing pydicom is a setting of the whole process, so one check at a time.
            with self._checking, quiet_pydicom():
                _check(content)
        except ScanRefused as refusal:
            unreadable = refusal.refusal in UNREADABLE
            status = StoreStatus.CANNOT_UNDERSTAND if unreadable else StoreStatus.DATA_SET_MISMATCH
            return Outcome(status, refusal.refusal)
        try:
            self._write(self.folder / file_name(sop_instance_uid), content, mode=0o600)
        except OSError as error:
            reason = errno.errorcode.get(error.errno or 0, "")
            return Outcome(StoreStatus.OUT_OF_RESOURCES, f"E_STORAGE {reason}".rstrip())
        return Outcome(StoreStatus.SUCCESS, ACCEPTED)


def file_name(sop_instance_uid: str) -> str:
    """Give the name of an object's file: a digest, since names are seen where scans are not."""
    digest = hashlib.sha256(sop_instance_uid.encode()).hexdigest()
    return f"{digest[:NAME_DIGITS]}.dcm"


def _check(content: bytes) -> None:
    """Apply the header rules of ingest; raises ScanRefused."""
    try:
        dataset = dcmread(BytesIO(content))
        syntax = UID(str(dataset.file_meta.get("TransferSyntaxUID", "") or ""))
    except PYDICOM_FAILURES as error:
        received = f"bytes that cannot be read ({type(error).__name__})"
        raise refused(Refusal.E_NOT_DICOM, received) from None
    admit(header_of(Path(), DatasetFile(dataset, has_prefix=True, transfer_syntax=syntax)))
