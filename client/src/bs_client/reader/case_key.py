"""The key of a reader study: which study and label stand behind a case code.

It is written when the study is made and read when the study is over. The page that readers see
never opens it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bs_common.architecture import CLASSES
from bs_common.errors import ConfigError
from bs_common.files import write_atomic

_COLUMNS = ("case", "study_uid", "label", "practice", "model_probability", "model_threshold")


@dataclass(frozen=True, slots=True)
class KeyRow:
    """One case.

    code : what readers and tables call it.
    label : True for metastasis.
    model_probability, model_threshold : None where no model was given.
    """

    code: str
    study_uid: str
    label: bool
    practice: bool
    model_probability: float | None
    model_threshold: float | None


def write_key(path: Path, rows: Sequence[KeyRow]) -> None:
    """Write the key, readable by its owner alone."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(_COLUMNS)
    for row in rows:
        model = (row.model_probability, row.model_threshold)
        numbers = ["" if value is None else repr(value) for value in model]
        cells = [row.code, row.study_uid, CLASSES[int(row.label)], int(row.practice), *numbers]
        table.writerow(cells)
    write_atomic(path, text.getvalue().encode(), mode=0o600)


def read_key(path: Path) -> dict[str, KeyRow]:
    """Read the key by case code; raises ConfigError if it is missing or was damaged."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return {row["case"]: _row(row) for row in csv.DictReader(file)}
    except (OSError, KeyError, ValueError) as error:
        raise ConfigError(
            f"{path.name}: the key of the cases cannot be read ({type(error).__name__})",
            remedy="Restore it from a backup; without it no answer can be judged.",
        ) from error


def _row(cells: dict[str, str]) -> KeyRow:
    return KeyRow(
        code=cells["case"],
        study_uid=cells["study_uid"],
        label=bool(CLASSES.index(cells["label"])),
        practice=cells["practice"] == "1",
        model_probability=float(cells["model_probability"]) if cells["model_probability"] else None,
        model_threshold=float(cells["model_threshold"]) if cells["model_threshold"] else None,
    )
