"""The Excel file of a reader study: a summary, every answer with its comment, the protocol."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from bs_client.reader.open_study import OpenStudy
from bs_client.reader.readings import FinishedAnswer
from bs_client.reader.tables import COLUMNS, Cell, analysed, answer_row
from bs_common.metrics import confusion

# Comments are text, whatever they begin with: no formula, no link is ever made of one.
TEXT_ONLY = {
    "in_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
}
LINE_POINTS = 15
MOST_LINES = 27  # a row is at most 409 points high
MAX_CELL = 32_767  # letters; Excel's own limit
WIDTHS = {"shown_utc": 25, "submitted_utc": 25, "label": 15, "call": 15, "comment": 60}
SUMMARY_COLUMNS = (
    "reader",
    "arm",
    "cases",
    "TP",
    "FN",
    "TN",
    "FP",
    "sensitivity",
    "specificity",
    "minutes",
    "median seconds a case",
    "comments",
)
SYNTHETIC = "Synthetic scans, no clinical claim."


@dataclass(frozen=True, slots=True)
class _Formats:
    title: Format
    head: Format
    mark: Format
    wrapped: Format
    plain: Format
    share: Format
    tenth: Format


def write_workbook(study: OpenStudy, answers: Sequence[FinishedAnswer]) -> bytes:
    """Write the workbook: sheets Summary, Answers and Protocol."""
    content = io.BytesIO()
    with xlsxwriter.Workbook(content, TEXT_ONLY) as book:
        formats = _Formats(
            title=book.add_format({"bold": True, "font_size": 15}),
            head=book.add_format({"bold": True, "bottom": 1, "bg_color": "#DCE8F4"}),
            mark=book.add_format({"bold": True, "font_color": "#B00020"}),
            wrapped=book.add_format({"text_wrap": True, "valign": "top"}),
            plain=book.add_format({"valign": "top", "align": "left"}),
            share=book.add_format({"num_format": "0.000", "align": "left"}),
            tenth=book.add_format({"num_format": "0.0", "align": "left"}),
        )
        _write_summary(book.add_worksheet("Summary"), study, answers, formats)
        _write_answers(book.add_worksheet("Answers"), answers, formats)
        _write_protocol(book.add_worksheet("Protocol"), study, formats)
    return content.getvalue()


def _write_summary(
    sheet: Worksheet, study: OpenStudy, answers: Sequence[FinishedAnswer], formats: _Formats
) -> None:
    sheet.write(0, 0, f"Reader study: {study.protocol.name}", formats.title)
    if study.protocol.synthetic:
        sheet.write(1, 0, SYNTHETIC, formats.mark)
    for column, word in enumerate(SUMMARY_COLUMNS):
        sheet.write(3, column, word, formats.head)
    for row, cells in enumerate(_summary_rows(answers), start=4):
        for word, (column, cell) in zip(SUMMARY_COLUMNS, enumerate(cells), strict=True):
            shown = {"sensitivity": formats.share, "specificity": formats.share}
            shown |= {"minutes": formats.tenth, "median seconds a case": formats.tenth}
            sheet.write(row, column, cell, shown.get(word, formats.plain))
    sheet.set_column(0, len(SUMMARY_COLUMNS) - 1, 13)
    sheet.set_column(10, 10, 22)
    sheet.freeze_panes(4, 1)
    _fit_on_paper(sheet, head_row=3)


def _summary_rows(answers: Sequence[FinishedAnswer]) -> list[list[Cell]]:
    counted = analysed(answers)
    rows: list[list[Cell]] = []
    for reader, arm in dict.fromkeys((one.reader, one.arm) for one in counted):
        own = [one for one in counted if (one.reader, one.arm) == (reader, arm)]
        table = confusion([one.call for one in own], [one.label for one in own])
        seconds = [one.times.active_s for one in own]
        rows.append(
            [
                reader,
                arm,
                len(own),
                table.tp,
                table.fn,
                table.tn,
                table.fp,
                _rounded(table.tpr),
                _rounded(table.tnr),
                round(sum(seconds) / 60, 1),
                round(median(seconds), 1),
                sum(bool(one.comment) for one in own),
            ]
        )
    return rows


def _rounded(share: float | None) -> Cell:
    return "" if share is None else round(share, 3)


def _write_answers(sheet: Worksheet, answers: Sequence[FinishedAnswer], formats: _Formats) -> None:
    columns = (*COLUMNS, "comment")
    for column, word in enumerate(columns):
        sheet.write(0, column, word, formats.head)
        sheet.set_column(column, column, WIDTHS.get(word, max(9, len(word) + 3)))
    for row, answer in enumerate(answers, start=1):
        for column, cell in enumerate(answer_row(answer)):
            sheet.write(row, column, cell, formats.plain)
        comment = answer.comment[:MAX_CELL]
        sheet.write_string(row, len(COLUMNS), comment, formats.wrapped)
        sheet.set_row(row, LINE_POINTS * _lines(comment))
    sheet.freeze_panes(1, 4)
    # Over one page's width nobody could read it; what tells the answer stands on both.
    _fit_on_paper(sheet, head_row=0, pages_wide=2)
    sheet.repeat_columns(0, 3)
    sheet.autofilter(0, 0, max(1, len(answers)), len(columns) - 1)


def _lines(comment: str) -> int:
    """Give the lines of a comment in its column; programs do not all fit a row to its text."""
    width = WIDTHS["comment"] - 5  # words do not fill a line
    return min(MOST_LINES, sum(1 + len(line) // width for line in comment.split("\n")))


def _fit_on_paper(sheet: Worksheet, *, head_row: int | None, pages_wide: int = 1) -> None:
    """Print so many A4 pages wide, the heading and the page's number on each."""
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(pages_wide, 0)
    sheet.set_footer("&L&A&R&P / &N")
    if head_row is not None:
        sheet.repeat_rows(head_row)


def _write_protocol(sheet: Worksheet, study: OpenStudy, formats: _Formats) -> None:
    facts: dict[str, object] = {
        **study.protocol.model_dump(mode="json"),
        "protocol_sha256": study.protocol.sha256(),
        "made_with": f"bs-client {study.store.fact('version')}",
        "times": "active_s: page open and reader at it; wall_s: from first sight to answer",
    }
    for row, (name, value) in enumerate(facts.items()):
        sheet.write(row, 0, name, formats.head)
        sheet.write(row, 1, "none" if value is None else value, formats.plain)
    sheet.set_column(0, 0, 20)
    sheet.set_column(1, 1, 70)
    _fit_on_paper(sheet, head_row=None)
