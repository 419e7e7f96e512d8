"""What an earlier check found, so that files that did not change are not decoded again.

An entry holds for a file's path, size and times, for the settings, and for this very program: the
ingest code and the decoders that are installed. A refusal by E_DECODE is not kept, because it may
have come from a busy machine.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

import bs_client.data
import bs_client.dicom
from bs_client.check.reading import StudyRecord
from bs_client.dicom.codes import Refusal
from bs_client.dicom.discovery import StudyFiles
from bs_client.dicom.settings import IngestSettings
from bs_client.dicom.study import FileVerdict
from bs_common.files import write_atomic
from bs_common.settings import StudySettings

LEDGER_NAME = "ledger.json"
# Whatever turns bytes into pixels; the GPL decoder is there only if a site installed it.
DECODERS = ("numpy", "pydicom", "pylibjpeg-libjpeg", "pylibjpeg-openjpeg", "python-gdcm")


@dataclass(frozen=True, slots=True)
class Found:
    """What an earlier check found, by the key of its file or study."""

    files: dict[str, StudyFiles | FileVerdict] = field(default_factory=dict)
    studies: dict[str, StudyRecord] = field(default_factory=dict)


_FOUND = TypeAdapter(Found)


class Ledger:
    """The memory of one folder's checks.

    Parameters
    ----------
    folder : where it is kept; one that cannot be read counts as empty.
    rules : digest of all that decides besides the files, from `rules_digest`.
    """

    def __init__(self, folder: Path, rules: str) -> None:
        self._path = folder / LEDGER_NAME
        self._rules = rules
        self._earlier = _read(self._path)
        self._now = Found()

    def find_file(self, file: Path) -> StudyFiles | FileVerdict | None:
        """Give what the header of an unchanged file said, None if it is to be read."""
        key = self._key([file])
        found = self._earlier.files.get(key)
        if found is not None:
            self._now.files[key] = found
        return found

    def find_study(self, study: StudyFiles, pictures: Path) -> StudyRecord | None:
        """Give the record of a study whose files are unchanged, None if it is to be read."""
        key = self._key(study.files)
        found = self._earlier.studies.get(key)
        if found is None or (found.scan and not (pictures / found.scan.picture).exists()):
            return None
        self._now.studies[key] = found
        return found

    def keep_file(self, file: Path, found: StudyFiles | FileVerdict) -> None:
        """Remember what a file's header said."""
        self._now.files[self._key([file])] = found

    def keep_study(self, study: StudyFiles, record: StudyRecord) -> None:
        """Remember what became of a study, unless a quieter machine might decode it."""
        if all(verdict.verdict != Refusal.E_DECODE for verdict in record.verdicts):
            self._now.studies[self._key(study.files)] = record

    def save(self, *, finished: bool) -> None:
        """Write the ledger; after a finished check without what is no longer there."""
        now = self._now
        if not finished:
            now = Found(self._earlier.files | now.files, self._earlier.studies | now.studies)
        now.files.pop("", None)
        now.studies.pop("", None)
        # By way of plain values: JSON's escapes carry file names that are no valid UTF-8.
        content = json.dumps(_FOUND.dump_python(now, mode="json"))
        write_atomic(self._path, content.encode(), mode=0o600)

    def _key(self, files: Iterable[Path]) -> str:
        """Name files by path, size and times; empty, which finds nothing, if one is not there."""
        try:
            stamps = [_stamp(file) for file in files]
        except OSError:
            return ""
        return sha256(json.dumps([self._rules, *stamps]).encode()).hexdigest()


def _stamp(file: Path) -> tuple[str, int, int, int]:
    status = file.stat()
    # The change of status counts, too: a file that was made readable has the old content.
    return str(file.absolute()), status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _read(path: Path) -> Found:
    try:
        return _FOUND.validate_python(json.loads(path.read_bytes()))
    except (OSError, ValueError, ValidationError):
        return Found()


def rules_digest(ingest: IngestSettings, settings: StudySettings) -> str:
    """Give the SHA-256 of all that decides what becomes of given files."""
    parts = [
        ingest.model_dump(mode="json"),
        [settings.preprocessing, settings.view_height, settings.view_width],
        [_source_digest(file) for file in _source_files()],
        [_version(name) for name in DECODERS],
    ]
    return sha256(json.dumps(parts).encode()).hexdigest()


def _source_files() -> list[Path]:
    ingest = Path(bs_client.dicom.__path__[0])
    data = Path(bs_client.data.__path__[0])
    return [*sorted(ingest.glob("*.py")), data / "preprocess.py", data / "resize.py"]


def _source_digest(file: Path) -> str:
    return sha256(file.read_bytes()).hexdigest()


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""
