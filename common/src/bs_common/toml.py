"""Settings files that people edit: faults named when read, every setting shown when written."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from bs_common.errors import ConfigError
from bs_common.files import write_atomic
from bs_common.joining import describe_faults, read_small_text

Settings = TypeVar("Settings", bound=BaseModel)


def read_toml(path: Path, kind: type[Settings]) -> Settings:
    """Read a settings file; raises ConfigError naming every fault in it at once."""
    try:
        values = tomllib.loads(read_small_text(path))
        # By way of JSON: pydantic's strict mode then takes texts for paths and lists for tuples.
        return kind.model_validate_json(json.dumps(values, default=str))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path.name}: not valid TOML: {error}") from error
    except ValidationError as error:
        raise ConfigError(
            f"{path.name}: {describe_faults(error)}",
            remedy=f"Correct these entries of {path}.",
        ) from error


def write_toml(path: Path, settings: BaseModel) -> None:
    """Write settings whose fields are sections, each with its values; None is left out."""
    sections = settings.model_dump(mode="json", exclude_none=True)
    text = "\n".join(_section(name, values) for name, values in sections.items())
    write_atomic(path, text.encode())


def _section(name: str, values: dict[str, object]) -> str:
    lines = [f"{key} = {_value(value)}" for key, value in values.items()]
    return "\n".join([f"[{name}]", *lines, ""])


def _value(value: object) -> str:
    # A JSON text, number, truth value or list of these is also a TOML one, but for U+007F.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
