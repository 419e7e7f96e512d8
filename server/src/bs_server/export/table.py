"""A table as plain cells, and how it is written as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Cell = str | int | float | None
HIDDEN = "hidden"  # the column that says why cells of its row are empty

# A spreadsheet takes a text that begins so for a formula, in a CSV as well.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the report.

    name : of its sheet and its file, at most 31 letters, as Excel allows.
    columns : names with their unit; `HIDDEN` is the last one where a cell may be hidden.
    rows : a cell that is hidden or does not exist is None.
    """

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


def why_hidden(cells: Mapping[str, str], hidden: Mapping[str, str]) -> str | None:
    """Say which cells of a row are hidden and why, such as ``metastasis: small_cell``.

    Parameters
    ----------
    cells : column -> the cell's name in `hidden`.
    """
    found = [f"{column}: {hidden[name]}" for column, name in cells.items() if name in hidden]
    return "; ".join(found) or None


def csv_of(table: Table) -> bytes:
    """Write a table as CSV in UTF-8 (RFC 4180 with plain newlines); None is an empty cell.

    A text that a spreadsheet would take for a formula gets an apostrophe before it (OWASP, CSV
    injection): sites word some of these texts.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows([_harmless(cell) for cell in row] for row in table.rows)
    return text.getvalue().encode()


def _harmless(cell: Cell) -> Cell:
    if isinstance(cell, str) and cell.startswith(_FORMULA_STARTS):
        return f"'{cell}"
    return cell


def widths_of(table: Table, *, most: int = 72) -> Sequence[int]:
    """Give the letters that each column needs, at most `most`."""
    columns = zip(table.columns, *table.rows, strict=True)
    return [min(most, max(len(_shown(cell)) for cell in column) + 2) for column in columns]


def _shown(cell: Cell) -> str:
    if isinstance(cell, float):
        return f"{cell:.4f}"
    return "" if cell is None else str(cell)
