"""Which cases stand on the sheets of right and wrong calls, and drawing them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bs_client.explain.cases import CaseMap
from bs_client.explain.montage import draw_montage
from bs_client.explain.overlay import OverlayCaption

# File -> title, and how many of each outcome; the paper shows right calls in figure 5 and wrong
# ones in figure 6. Only cases with a map are shown.
SHEETS = {
    "right.png": ("Right: metastasis called", {"TP": 6}),
    "wrong.png": ("Wrong: called without metastasis, or missed", {"FP": 3, "FN": 3}),
}


@dataclass
class Sheets:
    """The chosen cases, held until all of them have come by."""

    chosen: dict[str, list[int]]
    held: dict[int, CaseMap] = field(default_factory=dict)

    def offer(self, case: CaseMap) -> None:
        """Keep a case if a sheet shows it."""
        if any(case.caption.case in numbers for numbers in self.chosen.values()):
            self.held[case.caption.case] = case

    def draw(self, folder: Path) -> None:
        """Write every sheet that has a case."""
        for name, numbers in self.chosen.items():
            if numbers:
                title, _ = SHEETS[name]
                draw_montage(folder / name, [self.held[number] for number in numbers], title=title)


def choose_sheets(captions: Sequence[OverlayCaption]) -> Sheets:
    """Choose the surest calls of each outcome, among cases that will have a map."""
    return Sheets(
        {
            name: [
                caption.case
                for outcome, most in wanted.items()
                for caption in _surest(captions, outcome)[:most]
            ]
            for name, (_, wanted) in SHEETS.items()
        }
    )


def _surest(captions: Sequence[OverlayCaption], outcome: str) -> list[OverlayCaption]:
    of_outcome = [caption for caption in captions if caption.outcome == outcome]
    return sorted(of_outcome, key=lambda caption: (-caption.certainty, caption.case))
