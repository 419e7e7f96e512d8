"""Cells of a table that a person wrote, read by line and column, every fault noted.

A cell is quoted in a fault only where it is one of the known words: a shifted column can put a
name where a label is expected.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from bs_common.errors import DataError

OLDEST_YEARS = 120.0

_Word = TypeVar("_Word")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table; `number` counts from 1 and is where the line begins."""

    number: int
    cells: tuple[str, ...]


def split_lines(text: str, *, what: str = "the labels file") -> list[Line]:
    """Cut the text into lines of stripped cells, without the lines that hold nothing.

    Raises DataError, which calls the table `what`, if its quotation marks do not pair.
    """
    header = text.lstrip().partition("\n")[0]
    delimiter = ";" if header.count(";") > header.count(",") else ","
    # Strict, or a forgotten closing quote would swallow the rest of the file as one cell.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    lines = []
    number = 1
    try:
        for cells in reader:
            line = Line(number, tuple(cell.strip() for cell in cells))
            number = reader.line_num + 1  # a quoted cell may span several lines
            if any(line.cells):
                lines.append(line)
    except csv.Error as error:
        raise DataError(
            f"{what} is not a CSV table: line {number}: {error}",
            remedy="Check the quotation marks of this line; each opening one needs a closing one.",
        ) from error
    return lines


@dataclass(frozen=True, slots=True)
class CellReader:
    """Reads the cells of one line by column.

    folder : where relative paths start.
    quotable : words that a fault may repeat, because they cannot be a patient's name.
    faults : where everything wrong is noted; shared by all lines of a table.
    """

    line: Line
    header: tuple[str, ...]
    folder: Path
    quotable: frozenset[str]
    faults: list[str]

    def note(self, column: str, text: str) -> None:
        """Note a fault of this line."""
        self.faults.append(f"line {self.line.number}, {column}: {text}")

    def check_count(self) -> None:
        """Note a line with more cells than the header has columns."""
        expected = len(self.header)
        if any(self.line.cells[expected:]):
            # Usually a comma inside a cell that is not quoted; all later cells are shifted.
            self.note("whole line", f"{len(self.line.cells)} cells, expected {expected}")

    def text(self, column: str) -> str | None:
        """Give the cell, or None where it is empty or the table has no such column."""
        place = self.header.index(column) if column in self.header else len(self.line.cells)
        return (self.line.cells[place] if place < len(self.line.cells) else "") or None

    def require(self, column: str) -> None:
        """Note an empty cell in a column that every line must fill."""
        if self.text(column) is None:
            self.note(column, "empty, expected a value")

    def word(self, column: str, words: Mapping[str, _Word], *, expected: str) -> _Word | None:
        """Give the meaning of a word in any case, or None where it is empty or unknown."""
        cell = (self.text(column) or "").casefold()
        if cell and cell not in words:
            found = f"'{cell}'" if cell in self.quotable else "an unknown word"
            self.note(column, f"{found}, expected {expected}")
        return words.get(cell)

    def years(self, column: str) -> float | None:
        """Give an age, or None where it is empty or no age."""
        cell = self.text(column)
        if cell is None:
            return None
        try:
            age = float(cell.replace(",", "."))  # a decimal comma where semicolons part the cells
        except ValueError:
            age = -1.0
        if not 0 <= age <= OLDEST_YEARS:
            self.note(column, f"expected years from 0 to {OLDEST_YEARS:.0f}, or nothing")
            return None
        return age

    def path(self, column: str) -> Path | None:
        """Give the path of an existing file or folder, or None where the cell is empty."""
        cell = self.text(column)
        if cell is None:
            return None
        path = self.folder / cell
        try:
            exists = path.exists()
        except OSError:  # a text too long for a name, a folder that may not be read
            exists = False
        if not exists:
            self.note(column, "no such file or folder; paths start at the labels file's folder")
        return path


def raise_if_any(faults: Sequence[str]) -> None:
    """Raise one DataError that names all faults, if there are any."""
    if faults:
        count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        raise DataError(
            f"the labels file has {count}:\n" + "\n".join(faults),
            remedy="Correct the named places in the labels file and run the command again.",
        )
