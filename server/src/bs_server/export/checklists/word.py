"""A checklist draft as a Word document: one table across pages in landscape."""

from __future__ import annotations

import datetime
import io

import docx
from docx.document import Document
from docx.enum.section import WD_ORIENT
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Cm, Pt, RGBColor
from docx.table import Table, _Cell, _Row

from bs_server.export.checklists.items import Draft, FilledItem, State
from bs_server.export.checklists.wording import COLUMNS, SYNTHETIC, notes, sources

_WIDTHS_CM = (1.2, 4.6, 2.0, 9.6, 5.2, 4.6)
_SHADES = {State.FILLED: "E2EFDA", State.PARTLY: "FFF2CC", State.AUTHOR: "FFFFFF"}
_HEAD_SHADE, _SECTION_SHADE = "DCE8F4", "F2F2F2"
_WARNING = RGBColor(0xB0, 0x00, 0x20)


def write_word(draft: Draft, *, finished: datetime.datetime) -> bytes:
    """Write a draft; `finished` is when the study was, and becomes the document's date."""
    document = docx.Document()
    _set_up(document, draft, finished)
    document.add_heading(draft.checklist.title, level=1)
    if draft.synthetic:
        mark = document.add_paragraph().add_run(SYNTHETIC)
        mark.bold = True
        mark.font.color.rgb = _WARNING
    for note in notes(draft):
        document.add_paragraph(note)
    table = document.add_table(rows=1, cols=len(COLUMNS), style="Table Grid")
    table.autofit = False
    for column, width in zip(table.columns, _WIDTHS_CM, strict=True):
        column.width = Cm(width)
    _write_head(table.rows[0])
    section = ""
    for row in draft.filled:
        if row.item.section != section:
            section = row.item.section
            _write_section(table, section)
        _write_item(table.add_row(), row)
    content = io.BytesIO()
    document.save(content)
    return content.getvalue()


def _set_up(document: Document, draft: Draft, finished: datetime.datetime) -> None:
    page = document.sections[0]
    page.orientation = WD_ORIENT.LANDSCAPE
    page.page_width, page.page_height = Cm(29.7), Cm(21.0)
    page.left_margin = page.right_margin = Cm(1.25)
    page.top_margin = page.bottom_margin = Cm(1.5)
    normal = document.styles["Normal"]
    normal.font.name, normal.font.size = "Calibri", Pt(9)
    normal.paragraph_format.space_after = Pt(3)
    properties = document.core_properties
    properties.title = f"{draft.checklist.title}: {draft.study}"
    properties.author = "bs-server"
    properties.created = properties.modified = finished


def _write_head(row: _Row) -> None:
    for cell, name in zip(row.cells, COLUMNS, strict=True):
        _write(cell, (name,), bold=True)
        _shade(cell, _HEAD_SHADE)
    _mark(row, "w:tblHeader")  # printed again on every page


def _write_section(table: Table, section: str) -> None:
    row = table.add_row()  # type: ignore[no-untyped-call]
    cell = row.cells[0].merge(row.cells[-1])
    _write(cell, (section,), bold=True)
    cell.paragraphs[0].paragraph_format.keep_with_next = True
    _shade(cell, _SECTION_SHADE)


def _write_item(row: _Row, filled: FilledItem) -> None:
    places = tuple(
        f"report.html#{anchor} ({title})" + (f"; study.toml: {names}" if names else "")
        for anchor, title, names in sources(filled)
    )
    texts = (filled.item.number,), (filled.item.asks,), (filled.state,), filled.statements
    for cell, lines in zip(row.cells, (*texts, (filled.add,), places), strict=True):
        _write(cell, lines)
    _shade(row.cells[2], _SHADES[filled.state])
    _mark(row, "w:cantSplit")


def _write(cell: _Cell, lines: tuple[str, ...], *, bold: bool = False) -> None:
    """Write lines as paragraphs; the first one is there already."""
    for place, line in enumerate(lines):
        paragraph = cell.paragraphs[0] if place == 0 else cell.add_paragraph()
        paragraph.add_run(line).bold = bold


def _shade(cell: _Cell, colour: str) -> None:
    shade = OxmlElement("w:shd")
    for name, value in (("val", "clear"), ("color", "auto"), ("fill", colour)):
        shade.set(qn(f"w:{name}"), value)
    cell._tc.get_or_add_tcPr().append(shade)


def _mark(row: _Row, name: str) -> None:
    row._tr.get_or_add_trPr().append(OxmlElement(name))
