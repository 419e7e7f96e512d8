"""The labels file of a site: who has metastases, as a table written by a person.

Every fault of the file is reported at once, by line and column. Reading cells is left to `cells`;
whether a labelled study exists as a scan, to `manifest`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Literal

from bs_client.data.cells import CellReader, raise_if_any, split_lines
from bs_common.errors import DataError


class Split(StrEnum):
    """What a scan is used for."""

    TRAIN = "train"
    VALIDATION = "validation"
    EXTERNAL = "external"


class Sex(StrEnum):
    """Patient's sex in the words of DICOM (0010,0040)."""

    FEMALE = "F"
    MALE = "M"
    OTHER = "O"


KeyColumn = Literal["study_uid", "patient_id"]

KEY_COLUMNS: tuple[KeyColumn, ...] = ("study_uid", "patient_id")  # the first one present decides
OPTIONAL_COLUMNS = ("split", "mask", "age", "sex", "primary", "reference_standard")
COLUMNS = (*KEY_COLUMNS, "label", *OPTIONAL_COLUMNS)

LABEL_WORDS = {
    **dict.fromkeys(("metastasis", "1", "positive", "yes"), True),
    **dict.fromkeys(("no_metastasis", "0", "negative", "no"), False),
}
SPLIT_WORDS = {
    "train": Split.TRAIN,
    **dict.fromkeys(("validation", "val"), Split.VALIDATION),
    **dict.fromkeys(("external", "test"), Split.EXTERNAL),
}
SEX_WORDS = {
    **dict.fromkeys(("f", "female"), Sex.FEMALE),
    **dict.fromkeys(("m", "male"), Sex.MALE),
    **dict.fromkeys(("o", "other"), Sex.OTHER),
}
EXPECTED_LABEL = "metastasis or no_metastasis (also 1/0, positive/negative, yes/no)"
EXPECTED_SPLIT = "train, validation or external (also val, test), or nothing"
EXPECTED_SEX = "F, M or O (also female, male, other), or nothing"
QUOTABLE = frozenset((*LABEL_WORDS, *SPLIT_WORDS, *SEX_WORDS))  # cannot be a patient's name


@dataclass(frozen=True, slots=True)
class LabelRow:
    """One line of the labels file; a cell left empty is None.

    line : number of the line in the file, the header being line 1.
    label : whether the patient has metastases.
    mask : file or folder with the outlines of the metastatic spots.
    age : years.
    """

    line: int
    study_uid: str | None
    patient_id: str | None
    label: bool
    split: Split | None
    mask: Path | None
    age: float | None
    sex: Sex | None
    primary: str | None
    reference_standard: str | None


@dataclass(frozen=True, slots=True)
class LabelTable:
    """A labels file without faults.

    keyed_by : the column that ties a row to scans; `study_uid` where the file has both.
    ignored_columns : header words that this product does not know, as written.
    """

    rows: tuple[LabelRow, ...]
    keyed_by: KeyColumn
    ignored_columns: tuple[str, ...]


def read_labels(path: Path) -> LabelTable:
    """Read a labels CSV: UTF-8 with or without a byte order mark, comma or semicolon.

    Mask paths are relative to the folder of the labels file and must exist.

    Raises
    ------
    DataError
        The file cannot be read as text, or it has faults; then the message names all of them.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise DataError(
            f"the labels file cannot be read: {error.strerror}",
            remedy="Check the path given for the labels file and its permissions.",
        ) from error
    except UnicodeDecodeError as error:
        raise DataError(
            f"the labels file is not UTF-8: byte {error.start} fits no character",
            remedy="Save the table as 'CSV UTF-8' in the spreadsheet program.",
        ) from error
    return parse_labels(text, folder=path.parent)


def parse_labels(text: str, *, folder: Path) -> LabelTable:
    """Turn the text of a labels file into typed rows; mask paths start at `folder`.

    The header is case-insensitive, lines without content are skipped, and cells missing at the
    end of a line count as empty, because spreadsheets leave them out.

    Raises
    ------
    DataError
        The table has faults; the message names all of them.
    """
    faults: list[str] = []
    lines = split_lines(text)
    written = lines[0].cells if lines else ()
    header = tuple(word.casefold() for word in written)
    keyed_by = _check_header(header, faults)
    raise_if_any(faults)  # without a sound header every line would be a fault
    readers = [CellReader(line, header, folder, QUOTABLE, faults) for line in lines[1:]]
    rows = [_read_row(reader, keyed_by) for reader in readers]
    _check_duplicates(readers, keyed_by)
    raise_if_any(faults)
    return LabelTable(
        rows=tuple(row for row in rows if row is not None),
        keyed_by=keyed_by,
        ignored_columns=tuple(word for word in written if word and word.casefold() not in COLUMNS),
    )


def _check_header(header: tuple[str, ...], faults: list[str]) -> KeyColumn:
    present = [column for column in KEY_COLUMNS if column in header]
    if not present:
        faults.append("header: no column study_uid or patient_id; expected at least one of them")
    if "label" not in header:
        faults.append("header: no column label")
    faults.extend(
        f"header, {column}: given {header.count(column)} times, expected once"
        for column in COLUMNS
        if header.count(column) > 1
    )
    return present[0] if present else "study_uid"


def _read_row(cells: CellReader, keyed_by: KeyColumn) -> LabelRow | None:
    """Read one line; None where a fault leaves it without key or label."""
    cells.check_count()
    cells.require(keyed_by)
    cells.require("label")
    label = cells.word("label", LABEL_WORDS, expected=EXPECTED_LABEL)
    row = LabelRow(
        line=cells.line.number,
        study_uid=cells.text("study_uid"),
        patient_id=cells.text("patient_id"),
        label=bool(label),
        split=cells.word("split", SPLIT_WORDS, expected=EXPECTED_SPLIT),
        mask=cells.path("mask"),
        age=cells.years("age"),
        sex=cells.word("sex", SEX_WORDS, expected=EXPECTED_SEX),
        primary=cells.text("primary"),
        reference_standard=cells.text("reference_standard"),
    )
    return row if label is not None and cells.text(keyed_by) else None


def _check_duplicates(readers: list[CellReader], keyed_by: KeyColumn) -> None:
    """Note every line whose study (or patient, where patients are the key) was given before."""
    first_lines: dict[str, int] = {}
    for cells in readers:
        key = cells.text(keyed_by)
        number = cells.line.number
        if key is not None and first_lines.setdefault(key, number) != number:
            cells.note(keyed_by, f"the same as in line {first_lines[key]}, expected once")
