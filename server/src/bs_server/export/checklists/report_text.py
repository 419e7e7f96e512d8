"""The report as its reader finds it: the text of each section, by anchor."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from bs_server.report.places import SECTIONS

_ANCHORS = frozenset(place.anchor for place in SECTIONS)
_NOT_READ = ("style", "head")


class ReportText(HTMLParser):
    """Looks up what stands in a section; what a figure says to screen readers counts as text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self._parts: dict[str, list[str]] = {}
        self._anchor: str | None = None
        self._skipped: str | None = None
        self.feed(page)
        self._texts = {anchor: plain(" ".join(parts)) for anchor, parts in self._parts.items()}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a section at its anchor, and read what a figure says of itself."""
        named = dict(attrs)
        if tag in _NOT_READ:
            self._skipped = tag
        if (anchor := named.get("id")) in _ANCHORS and anchor is not None:
            self._anchor = anchor
            self._parts.setdefault(anchor, [])
        self.handle_data(named.get("aria-label") or "")

    def handle_endtag(self, tag: str) -> None:
        """Read on after a style sheet."""
        if tag == self._skipped:
            self._skipped = None

    def handle_data(self, data: str) -> None:
        """Add text to the section it stands in."""
        if self._anchor is not None and self._skipped is None:
            self._parts[self._anchor].append(data)

    def holds(self, anchor: str, value: str) -> bool:
        """Tell whether a value stands in a section, as a whole word or number."""
        pattern = rf"(?<![\w.]){re.escape(plain(value))}(?![\w])"
        return re.search(pattern, self._texts.get(anchor, "")) is not None


def plain(text: str) -> str:
    """Write no-break spaces and dashes as on a keyboard, and any white space as one blank."""
    text = text.replace("\N{NO-BREAK SPACE}", " ").replace("\N{EN DASH}", "-")
    return " ".join(text.split())
