"""All tables as one Excel workbook, a sheet each; what sites worded is text, never a formula."""

from __future__ import annotations

import datetime
import io
from dataclasses import dataclass

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from bs_server.export.table import HIDDEN, Cell, Table, widths_of
from bs_server.report.page import HIDDEN_REASONS
from bs_server.results.summary import Summary

TEXT_ONLY = {
    "in_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
}
SYNTHETIC = "Synthetic scans: no clinical claim."
EMPTY_CELLS = (
    "An empty cell is not zero. It is hidden, and the column hidden says why, or there is none."
)
_HEAD_ROW = 2


@dataclass(frozen=True, slots=True)
class _Formats:
    title: Format
    mark: Format
    head: Format
    head_right: Format
    text: Format
    link: Format
    whole: Format
    figure: Format
    why: Format

    @classmethod
    def of(cls, book: xlsxwriter.Workbook) -> _Formats:
        head = {"bold": True, "bottom": 1, "bg_color": "#DCE8F4"}
        left = {"align": "left", "indent": 1}
        return cls(
            title=book.add_format({"bold": True, "font_size": 14}),
            mark=book.add_format({"bold": True, "font_color": "#B00020"}),
            head=book.add_format(head | left),
            head_right=book.add_format(head | {"align": "right"}),
            text=book.add_format(left),
            link=book.add_format(left | {"font_color": "#1F4E79", "underline": 1}),
            whole=book.add_format({"num_format": "0"}),
            figure=book.add_format({"num_format": "0.0000"}),
            why=book.add_format(left | {"italic": True, "font_color": "#6B6B6B"}),
        )

    def for_cell(self, cell: Cell, *, column: str, beside_text: bool) -> Format:
        """Choose by what the cell holds; numbers of a column with text stand left, as the text."""
        if column == HIDDEN:
            return self.why
        if beside_text:
            return self.text
        return self.figure if isinstance(cell, float) else self.whole


def write_workbook(summary: Summary, tables: list[Table]) -> bytes:
    """Write the workbook: a sheet Contents, then one a table. The same summary gives the same."""
    content = io.BytesIO()
    with xlsxwriter.Workbook(content, TEXT_ONLY) as book:
        made = datetime.datetime.fromisoformat(summary.finished).replace(tzinfo=None)
        book.set_properties({"title": f"Study {summary.study}", "created": made})
        formats = _Formats.of(book)
        _write_contents(book.add_worksheet("Contents"), summary, tables, formats)
        for table in tables:
            _write_table(book.add_worksheet(table.name), summary, table, formats)
    return content.getvalue()


def _write_contents(
    sheet: Worksheet, summary: Summary, tables: list[Table], formats: _Formats
) -> None:
    sheet.write_string(0, 0, f"Study {summary.study}", formats.title)
    if summary.synthetic:
        sheet.write_string(1, 0, SYNTHETIC, formats.mark)
    sheet.write_row(_HEAD_ROW, 0, ("sheet", "holds"), formats.head)
    sheet.write_string(_HEAD_ROW, 2, "rows", formats.head_right)
    row = _HEAD_ROW
    for row, table in enumerate(tables, start=_HEAD_ROW + 1):
        sheet.write_url(row, 0, f"internal:'{table.name}'!A1", formats.link, table.name)
        sheet.write_string(row, 1, table.title, formats.text)
        sheet.write_number(row, 2, len(table.rows), formats.whole)
    notes = [EMPTY_CELLS, *(f"{name}: {said}." for name, said in HIDDEN_REASONS.items())]
    for place, note in enumerate(notes, start=row + 2):
        sheet.write_string(place, 0, note, formats.text)
    sheet.set_column(0, 0, 18)
    sheet.set_column(1, 1, 56)
    _fit_on_paper(sheet)


def _write_table(sheet: Worksheet, summary: Summary, table: Table, formats: _Formats) -> None:
    sheet.write_string(0, 0, table.title, formats.title)
    if summary.synthetic:
        sheet.write_string(1, 0, SYNTHETIC, formats.mark)
    for column, name in enumerate(table.columns):
        cells = [row[column] for row in table.rows]
        has_text = name == HIDDEN or any(isinstance(cell, str) for cell in cells)
        sheet.write_string(
            _HEAD_ROW, column, name, formats.head if has_text else formats.head_right
        )
        for row, cell in enumerate(cells, start=_HEAD_ROW + 1):
            form = formats.for_cell(cell, column=name, beside_text=has_text)
            if isinstance(cell, str):
                sheet.write_string(row, column, cell, form)
            elif cell is not None:
                sheet.write_number(row, column, cell, form)
    for column, width in enumerate(widths_of(table)):
        sheet.set_column(column, column, width)
    last = _HEAD_ROW + len(table.rows)
    sheet.autofilter(_HEAD_ROW, 0, last, len(table.columns) - 1)
    sheet.freeze_panes(_HEAD_ROW + 1, 0)
    _fit_on_paper(sheet)


def _fit_on_paper(sheet: Worksheet) -> None:
    """Print one sheet wide, the heading on every page."""
    sheet.set_landscape()
    sheet.set_paper(9)  # A4
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(_HEAD_ROW)
