"""The two small files of joining: the coordinator's invitation and the site's answer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bs_common.errors import ConfigError
from bs_common.files import write_atomic
from bs_common.settings import Name, Role, StudySettings

Document = TypeVar("Document", bound=BaseModel)
Address = Annotated[str, Field(pattern=r"^[A-Za-z0-9.\-:\[\]]+:\d{1,5}$")]  # host:port


class Invitation(BaseModel):
    """What a site needs to find and recognise a study; it admits nobody by itself."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    address: Address
    ca_certificate: Annotated[str, Field(max_length=10_000)]  # PEM; pinned by the site
    site: Name
    role: Role
    settings: StudySettings
    # PEM; the key that will sign the released model, pinned by the site. Absent in older files.
    release_key: Annotated[str, Field(max_length=500)] | None = None


class Enrolment(BaseModel):
    """What a site hands back: its name and the public half of the key it made."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    site: Name
    study: Name
    settings_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    public_key: Annotated[str, Field(max_length=2000)]  # PEM


def write_document(path: Path, document: BaseModel) -> None:
    """Write a joining file as JSON, atomically."""
    write_atomic(path, (document.model_dump_json(indent=2) + "\n").encode())


def read_document(path: Path, kind: type[Document]) -> Document:
    """Read a joining file; every fault of it is named at once.

    Raises ConfigError if the file is missing, too large, not JSON or not of this kind.
    """
    return parse_document(kind, read_small_text(path), path.name)


def parse_document(kind: type[Document], text: str, where: str) -> Document:
    """Read one JSON text as a document of the given kind."""
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        raise ConfigError(
            f"{where}: not a valid {kind.__name__.lower()}: {describe_faults(error)}",
            remedy="Ask for the file again; it must arrive as it was written.",
        ) from error


def read_small_text(path: Path, *, limit: int = 1_000_000) -> str:
    """Read a text file of at most `limit` bytes."""
    try:
        if path.stat().st_size > limit:
            raise ConfigError(f"{path.name}: larger than {limit} bytes")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path.name}: cannot be read ({type(error).__name__})",
            remedy=f"Check that {path} exists, is a text file and is readable for this user.",
        ) from error


def describe_faults(error: ValidationError) -> str:
    """Name every faulty entry of a document and what was expected there."""
    faults = [
        f"{'.'.join(str(part) for part in fault['loc']) or 'document'}: {fault['msg']}"
        for fault in error.errors(include_url=False, include_input=False)
    ]
    return "; ".join(faults)
