"""A checklist draft as Markdown: one table, with links into the report."""

from __future__ import annotations

import re
from html import escape

from bs_server.export.checklists.items import Draft, FilledItem
from bs_server.export.checklists.wording import COLUMNS, SYNTHETIC, notes, sources

_BREAK = "<br>"


def write_markdown(draft: Draft, *, report: str) -> str:
    """Write a draft; `report` is the report's address as seen from the draft."""
    lines = [f"# {_text(draft.checklist.title)}", ""]
    if draft.synthetic:
        lines += [f"**{SYNTHETIC}**", ""]
    for note in notes(draft):
        lines += [_text(note), ""]
    lines.append(_row(COLUMNS))
    lines.append(_row(["---"] * len(COLUMNS)))
    section = ""
    for row in draft.filled:
        if row.item.section != section:
            section = row.item.section
            lines.append(_row(["", f"**{_text(section)}**", *[""] * (len(COLUMNS) - 2)]))
        lines.append(_row(_cells(row, report)))
    return "\n".join(lines) + "\n"


def _cells(row: FilledItem, report: str) -> list[str]:
    places = [
        f"[{_text(title)}]({report}#{anchor})" + (f", study.toml: `{names}`" if names else "")
        for anchor, title, names in sources(row)
    ]
    return [
        row.item.number,
        _text(row.item.asks),
        row.state,
        _BREAK.join(_text(statement) for statement in row.statements),
        _text(row.add),
        _BREAK.join(places),
    ]


def _row(cells: list[str] | tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def _text(text: str) -> str:
    """Let a text be read as text: what shows Markdown lets HTML through."""
    return re.sub(r"([\\`*_\[\]|#])", r"\\\1", escape(text, quote=False))
