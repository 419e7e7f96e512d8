"""A page as its reader has it: text, table rows, and what is left open."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = {"meta", "br", "img"}


class PageText(HTMLParser):
    """The text of a page without its style sheet, its table rows, and its unclosed elements.

    No-break spaces are read as spaces and dashes as hyphens.
    """

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.rows: list[list[str]] = []
        self.tags: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("th", "td"):
            self.rows[-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" in self.open:
            return
        text = data.replace("\N{NO-BREAK SPACE}", " ").replace("\N{EN DASH}", "-")
        self.texts.append(text)
        if {"th", "td"} & set(self.open):
            self.rows[-1][-1] += text

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def row(self, *start: str) -> list[str]:
        """Give the cells of the first row that begins with these."""
        rows = [[cell.strip() for cell in row] for row in self.rows]
        return next(row for row in rows if tuple(row[: len(start)]) == start)
