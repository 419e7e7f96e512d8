"""Open a DICOM file within bounds: any bytes give a data set or a refusal, never a crash."""

from __future__ import annotations

import logging
import stat
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.filereader import read_file_meta_info
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian

from bs_client.dicom.codes import Refusal, refused

# Whatever pydicom and its readers raise on malformed bytes, and what decoders add to it.
PYDICOM_FAILURES = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BufferError,
    BytesLengthException,
    EOFError,
    ImportError,
    InvalidDicomError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,  # NotImplementedError and RecursionError among them
    TypeError,
    ValueError,  # UnicodeError among it
    struct.error,
    zlib.error,
)
# Far above a whole-body scan (0.5-4 MB); keeps a video in the folder from being read.
MAX_FILE_BYTES = 512 * 2**20
# A deflated file may grow a thousandfold when opened.
MAX_INFLATED_BYTES = 512 * 2**20
# Longer values (pixels, overlays, vendor blobs) stay on disk until they are asked for.
DEFER_BYTES = 2**16
PREAMBLE_BYTES = 128
PREFIX = b"DICM"
# Preamble, prefix and the group length element itself (PS3.10 section 7.1).
META_START = PREAMBLE_BYTES + len(PREFIX) + 12


@dataclass(frozen=True, slots=True)
class DatasetFile:
    """An opened file; `transfer_syntax` is empty where the file states none."""

    dataset: Dataset
    has_prefix: bool
    transfer_syntax: UID


@contextmanager
def quiet_pydicom() -> Iterator[None]:
    """Silence pydicom's warnings and log within a block: their texts quote header values.

    pydicom reads values when they are asked for, so the block holds the whole work on a file.
    """
    logger = logging.getLogger("pydicom")
    before = logger.disabled
    logger.disabled = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.disabled = before


def open_dataset(file: Path, *, with_pixels: bool) -> DatasetFile:
    """Read a file's data set; values above 64 KiB only if `with_pixels`.

    Raises ScanRefused with E_NOT_DICOM where no data set can be read (rule 1), and with E_DECODE
    where a deflated file would grow beyond 512 MiB.
    """
    try:
        has_prefix = _has_prefix(file)
        if has_prefix:
            _check_inflated_size(file)
        elif DeflatedExplicitVRLittleEndian.encode() in _start(file, 4096):
            raise refused(Refusal.E_NOT_DICOM, "deflated bytes without the DICM prefix")
        defer = None if with_pixels else DEFER_BYTES
        dataset = dcmread(file, force=not has_prefix, defer_size=defer)
        syntax = UID(str(dataset.file_meta.get("TransferSyntaxUID", "") or ""))
    except PYDICOM_FAILURES as error:
        received = f"bytes that cannot be read ({type(error).__name__})"
        raise refused(Refusal.E_NOT_DICOM, received) from None
    return DatasetFile(dataset, has_prefix, syntax)


def _has_prefix(file: Path) -> bool:
    status = file.stat()
    if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_FILE_BYTES:
        raise refused(Refusal.E_NOT_DICOM, f"no regular file of at most {MAX_FILE_BYTES} bytes")
    return _start(file, PREAMBLE_BYTES + len(PREFIX))[PREAMBLE_BYTES:] == PREFIX


def _start(file: Path, length: int) -> bytes:
    with file.open("rb") as stream:
        return stream.read(length)


def _check_inflated_size(file: Path) -> None:
    meta = read_file_meta_info(file)
    if meta.get("TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
        return
    compressed = file.read_bytes()[META_START + int(meta.FileMetaInformationGroupLength) :]
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    inflated = 0
    while compressed and not inflater.eof:
        inflated += len(inflater.decompress(compressed, 2**20))
        compressed = inflater.unconsumed_tail
        if inflated > MAX_INFLATED_BYTES:
            raise refused(Refusal.E_DECODE, f"deflated data above {MAX_INFLATED_BYTES} bytes")
