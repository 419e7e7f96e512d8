"""What both forms of a draft say alike."""

from __future__ import annotations

from collections.abc import Iterator

from bs_server.export.checklists.items import Draft, FilledItem, State
from bs_server.report.places import PLACES

COLUMNS = ("Item", "Asks for", "State", "From the report", "Authors add", "Source")
SYNTHETIC = "Synthetic scans: no clinical claim. Nothing here is a result that could be published."


def notes(draft: Draft) -> tuple[str, ...]:
    """Say what the draft is, and what its states mean."""
    counts = ", ".join(f"{draft.count(state)} {state}" for state in State)
    return (
        f"Study {draft.study}: {counts}. The numbers say what there is to write, not how good the "
        "study is.",
        "Filled: the study's report answers it, at the place named. Partly: what stands there, and "
        "what the authors add. Author's task: the program does not know it. Every value was looked "
        "up in report.html; a hidden one fills nothing.",
        f"Items in short words of this program's; the checklist's own count: "
        f"{draft.checklist.source}.",
    )


def sources(row: FilledItem) -> Iterator[tuple[str, str, str]]:
    """Give anchor, title of the section, and the settings of study.toml that it shows."""
    for anchor, settings in row.sources.items():
        yield anchor, PLACES[anchor].title, ", ".join(dict.fromkeys(settings))
