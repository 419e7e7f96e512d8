"""The labels of the copied studies under their pseudonyms, and their masks as bare pictures."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from bs_client.data.labels import KEY_COLUMNS, OPTIONAL_COLUMNS, LabelRow, LabelTable
from bs_client.deidentify.plan import StudyNames
from bs_common.architecture import CLASSES
from bs_common.errors import DataError

# Ages above 89 are one class in public data (45 CFR 164.514(b)(2)(i)(C)).
HIGHEST_AGE = 90
FREE_TEXTS = ("primary", "reference_standard")


@dataclass(frozen=True, slots=True)
class LabelsCopy:
    """The labels table of the copies as files to write.

    files : content by path under the target folder: ``labels.csv`` and ``masks/<number>.png``.
    rows : labelled studies or patients among the copies.
    withheld : free texts left out because they hold a digit, such as a date, or an identifier.
    """

    files: dict[str, bytes]
    rows: int
    withheld: int


def copy_labels(table: LabelTable, studies: Sequence[StudyNames]) -> LabelsCopy:
    """Give the labels of the copied studies; rows of other studies stay behind.

    Raises DataError if a mask cannot be read as a picture.
    """
    files: dict[str, bytes] = {}
    lines: list[dict[str, str]] = []
    withheld = 0
    for number, (study, row) in enumerate(_labelled(table, studies), start=1):
        mask = f"masks/{number:04d}.png" if row.mask else ""
        if row.mask:
            files[mask] = _bare_picture(row.mask)
        cells = _cells(row, study, mask)
        withheld += sum(bool(getattr(row, column)) and not cells[column] for column in FREE_TEXTS)
        lines.append(cells)
    keys = KEY_COLUMNS if table.keyed_by == "study_uid" else ("patient_id",)
    files["labels.csv"] = _csv(lines, (*keys, "label", *OPTIONAL_COLUMNS))
    return LabelsCopy(files, len(lines), withheld)


def _labelled(
    table: LabelTable, studies: Sequence[StudyNames]
) -> list[tuple[StudyNames, LabelRow]]:
    """Give each row that speaks of a copy, in the order of the new names."""
    by_key = {getattr(study, table.keyed_by): study for study in studies}
    keyed = [(by_key.get(getattr(row, table.keyed_by)), row) for row in table.rows]
    found = [(study, row) for study, row in keyed if study is not None]
    return sorted(found, key=lambda one: (one[0].copy_study_uid, one[0].copy_patient_id))


def _cells(row: LabelRow, study: StudyNames, mask: str) -> dict[str, str]:
    return {
        "study_uid": study.copy_study_uid,
        "patient_id": study.copy_patient_id,
        "label": CLASSES[int(row.label)],
        "split": row.split or "",
        "mask": mask,
        "age": "" if row.age is None else f"{min(row.age, HIGHEST_AGE):g}",
        "sex": row.sex or "",
        "primary": _harmless(row.primary, study),
        "reference_standard": _harmless(row.reference_standard, study),
    }


def _harmless(stated: str | None, study: StudyNames) -> str:
    """Give a free text, or nothing where it holds a digit or the patient's identifier."""
    stated = stated or ""
    quotes = study.patient_id and study.patient_id.casefold() in stated.casefold()
    return "" if quotes or re.search(r"\d", stated) else stated


def _bare_picture(path: Path) -> bytes:
    """Draw a mask again, one bit per pixel: texts inside a picture file are left behind."""
    try:
        with Image.open(path) as picture:
            drawn = np.asarray(picture.convert("L")) > 0
    except (OSError, UnidentifiedImageError, ValueError) as error:
        raise DataError(
            "A mask cannot be read as a picture.", remedy="Export the masks as PNG again."
        ) from error
    content = io.BytesIO()
    Image.fromarray(drawn).save(content, format="PNG")  # a bool array becomes mode "1"
    return content.getvalue()


def _csv(cells: list[dict[str, str]], columns: tuple[str, ...]) -> bytes:
    table = io.StringIO()
    writer = csv.DictWriter(table, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(cells)
    return table.getvalue().encode()
