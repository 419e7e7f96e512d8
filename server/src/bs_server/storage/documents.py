"""The coordinator's own files: versioned, written whole, and checked when they are read."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from bs_common.errors import TrustError
from bs_common.files import write_atomic
from bs_common.joining import describe_faults

Kind = TypeVar("Kind", bound="Document")


class Document(BaseModel):
    """A file of state; a later release that writes it otherwise gives it another version."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)

    version: Literal[1]


def write_state(path: Path, document: Document) -> None:
    """Write a document as JSON, whole or not at all."""
    write_atomic(path, (document.model_dump_json(indent=2) + "\n").encode())


def read_state(path: Path, kind: type[Kind]) -> Kind:
    """Read a document that `write_state` wrote.

    Raises TrustError if it is missing, damaged, of another version or of none.
    """
    try:
        return kind.model_validate_json(path.read_bytes())
    except OSError as error:
        raise TrustError(
            f"{path.name}: cannot be read ({type(error).__name__}).", remedy=_remedy(path)
        ) from error
    except ValidationError as error:
        raise TrustError(
            f"{path.name}: not as this release writes it: {describe_faults(error)}",
            remedy=_remedy(path),
        ) from error


def _remedy(path: Path) -> str:
    return (
        f"If another release of bs-server wrote {path}, run that one. Otherwise bring the file "
        "back from a backup, or move it away to begin without what it holds."
    )
