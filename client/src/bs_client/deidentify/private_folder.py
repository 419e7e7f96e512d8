"""What ties a de-identified copy to its patients: it stays at the site, for its owner alone."""

from __future__ import annotations

import csv
import hashlib
import io
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bs_client.deidentify.pseudonyms import Pseudonyms
from bs_common.errors import ConfigError
from bs_common.files import write_atomic

SALT_BYTES = 32
COLUMNS = ("file", "study_uid", "patient_id", "copy", "copy_study_uid", "copy_patient_id")


@dataclass(frozen=True, slots=True)
class MappingRow:
    """One object and its copy; files relative to the folders of the originals and the copies."""

    file: str
    study_uid: str
    patient_id: str
    copy: str
    copy_study_uid: str
    copy_patient_id: str


def private_folder(source: Path, target: Path, chosen: Path | None) -> Path:
    """Give the private folder of one copy: as chosen, or beside the originals, one for each target.

    Raises ConfigError if originals, copies and what ties them do not lie apart.
    """
    source, target = source.resolve(), target.resolve()
    mark = hashlib.sha256(str(target).encode()).hexdigest()[:8]
    beside = source.parent / f"{source.name}.private" / f"{target.name}-{mark}"
    private = (chosen or beside).resolve()
    for one, other in ((source, target), (source, private), (target, private)):
        if one.is_relative_to(other) or other.is_relative_to(one):
            raise ConfigError(
                "The folders of originals, of copies and of private notes lie in one another.",
                remedy="Choose a target outside the scans, and --private outside both.",
            )
    return private


def open_pseudonyms(private: Path) -> Pseudonyms:
    """Read the salt of a private folder, or make folder and salt.

    Raises ConfigError if neither can be done, or the salt was damaged.
    """
    salt = private / "salt"
    try:
        private.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not salt.exists():
            write_atomic(salt, secrets.token_bytes(SALT_BYTES), mode=0o600)
        content = salt.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"The private folder cannot be used: {error.strerror}.",
            remedy="Choose one that this account may write to: --private DIR.",
        ) from error
    if len(content) != SALT_BYTES:
        raise ConfigError(
            f"The salt of the private folder has {len(content)} bytes, expected {SALT_BYTES}.",
            remedy="Restore the private folder, or remove it and the copies and start again.",
        )
    return Pseudonyms(content)


def write_mapping(private: Path, rows: Iterable[MappingRow]) -> Path:
    """Write `mapping.csv`, which says who is who; readable by its owner alone."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([getattr(row, column) for column in COLUMNS] for row in rows)
    path = private / "mapping.csv"
    write_atomic(path, table.getvalue().encode(), mode=0o600)
    return path
