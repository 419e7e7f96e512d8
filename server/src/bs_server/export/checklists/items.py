"""Items of a checklist, and how much of each a study's report fills.

A value is looked up in the report before it fills anything: what is hidden, missing or shown
elsewhere never counts as filled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from bs_server.export.checklists.report_text import ReportText
from bs_server.results.summary import Summary


class State(StrEnum):
    """How much of an item stands in the report."""

    FILLED = "filled"
    PARTLY = "partly"
    AUTHOR = "author's task"


@dataclass(frozen=True, slots=True)
class Fact:
    """A statement whose values stand in one section of the report.

    label : what the statement is about.
    words : the statement, with ``{}`` for each value.
    values : as the report writes them; None where there is none to show.
    anchor : of the section.
    setting : name under ``[study]`` in study.toml where the value was set; empty for a result.
    """

    label: str
    words: str
    values: tuple[str | None, ...]
    anchor: str
    setting: str = ""

    def stands_in(self, report: ReportText) -> bool:
        """Tell whether the report shows every value at the place."""
        return all(value is not None and report.holds(self.anchor, value) for value in self.values)

    @property
    def text(self) -> str:
        """The statement with its values."""
        return self.words.format(*self.values)


def shown_count(text: str) -> str | None:
    """Give a cell's text, or None where it says that the cell is hidden."""
    return text if text.isdecimal() else None


Facts = Callable[[Summary], Sequence[Fact]]


@dataclass(frozen=True, slots=True)
class Item:
    """One row of a checklist, in our own words.

    facts : what a study says to it; None where no study can.
    add : what is left to the authors where all facts stand in the report; empty if nothing is.
    """

    number: str
    section: str
    asks: str
    facts: Facts | None = None
    add: str = ""


@dataclass(frozen=True, slots=True)
class Checklist:
    """A checklist with its source."""

    name: str
    title: str
    source: str
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class FilledItem:
    """An item as the draft shows it.

    facts : those that stand in the report.
    add : what the authors add; empty where the item is filled.
    """

    item: Item
    state: State
    facts: tuple[Fact, ...]
    add: str

    @property
    def statements(self) -> tuple[str, ...]:
        """The facts, one text a label."""
        by_label: dict[str, list[str]] = {}
        for fact in self.facts:
            by_label.setdefault(fact.label, []).append(fact.text)
        return tuple(f"{label}: {'; '.join(texts)}" for label, texts in by_label.items())

    @property
    def sources(self) -> dict[str, tuple[str, ...]]:
        """Anchor of each section -> the settings of study.toml among its values."""
        sources: dict[str, tuple[str, ...]] = {}
        for fact in self.facts:
            known = sources.get(fact.anchor, ())
            sources[fact.anchor] = (*known, fact.setting) if fact.setting else known
        return sources


@dataclass(frozen=True, slots=True)
class Draft:
    """A checklist as far as one study fills it."""

    checklist: Checklist
    study: str
    synthetic: bool
    filled: tuple[FilledItem, ...]

    def count(self, state: State) -> int:
        """Count the items of a state; no share is made of it, for it measures no quality."""
        return sum(row.state is state for row in self.filled)


def fill(checklist: Checklist, summary: Summary, report: ReportText) -> Draft:
    """Fill a checklist with what the report of this summary shows."""
    rows = tuple(_fill(item, summary, report) for item in checklist.items)
    return Draft(checklist, summary.study, summary.synthetic, rows)


def _fill(item: Item, summary: Summary, report: ReportText) -> FilledItem:
    facts = tuple(item.facts(summary)) if item.facts else ()
    shown = tuple(fact for fact in facts if fact.stands_in(report))
    missing = [fact for fact in facts if fact not in shown]
    if not shown:
        add = item.add or "The report of this study does not show it."
        return FilledItem(item, State.AUTHOR, (), add)
    parts = [item.add] if item.add else []
    if missing:
        labels = dict.fromkeys(fact.label for fact in missing)
        parts.append(f"Hidden or not in the report: {'; '.join(labels)}.")
    state = State.PARTLY if parts else State.FILLED
    return FilledItem(item, state, shown, " ".join(parts))
