"""Where everything stands in the report: one name for each section, figure and table.

Anchors are stable, so that other documents may point at `report.html#ANCHOR`. Figures and tables
are numbered in the order of this list, whether a study has them all or not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["section", "figure", "table"]


@dataclass(frozen=True, slots=True)
class Place:
    """One part of the report.

    anchor : the element's id in the page.
    number : of a figure or table; None for a section.
    """

    anchor: str
    title: str
    kind: Kind
    number: int | None

    @property
    def label(self) -> str:
        """How a text refers to it: ``Table 3``, or a section by its title."""
        return self.title if self.number is None else f"{self.kind.capitalize()} {self.number}"


# In the order of the page.
_ORDER: tuple[tuple[Kind, str, str], ...] = (
    ("section", "flow", "Flow of scans"),
    ("figure", "flow-figure", "Flow of scans through the study"),
    ("section", "cohort", "Scans and sites"),
    ("table", "cohort-table", "Scans by site, split and label"),
    ("table", "sites-table", "Sites and scans that could not be used"),
    ("section", "rounds", "Rounds"),
    ("figure", "rounds-figure", "Loss and pooled validation AUC by round"),
    ("table", "rounds-table", "Rounds"),
    ("section", "external", "External result"),
    ("figure", "roc-figure", "ROC curve"),
    ("figure", "confusion-figure", "Confusion matrix"),
    ("table", "rates-table", "External result with 95 % intervals"),
    ("section", "calibration", "Calibration"),
    ("table", "calibration-table", "Calibration slope, intercept and Brier score"),
    ("figure", "calibration-figure", "Reliability of the probabilities"),
    ("table", "reliability-table", "Scans by predicted probability"),
    ("section", "decision-curve", "Decision curve"),
    ("figure", "decision-figure", "Net benefit of acting on the model"),
    ("table", "decision-table", "Net benefit"),
    ("section", "subgroups", "Subgroups"),
    ("figure", "subgroups-figure", "Sensitivity and specificity by subgroup"),
    ("table", "subgroups-table", "Calls by subgroup"),
    ("section", "maps", "Maps against masks"),
    ("figure", "agreement-figure", "Agreement of maps with masks"),
    ("table", "agreement-table", "Agreement of maps with masks"),
    ("table", "artefacts-table", "Share of a map where no metastasis can be"),
    ("section", "comparison", "What federation gained each site"),
    ("figure", "comparison-figure", "Models compared"),
    ("table", "comparison-table", "Models compared"),
    ("section", "differences", "Differences from the paper's profile"),
    ("section", "methods", "Methods"),
    ("table", "settings-table", "Settings every site agreed to"),
    ("section", "privacy", "What left each site"),
    ("table", "messages-table", "Kinds of messages and what they hold"),
    ("table", "traffic-table", "Messages by site and kind"),
    ("table", "policies-table", "What each site agreed to and lets out"),
    ("table", "refusals-table", "Requests and replies that were refused"),
    ("table", "audit-table", "The coordinator's audit log"),
    ("section", "replies", "Replies by round and site"),
    ("table", "replies-table", "Replies by round and site"),
    ("section", "versions", "Environment and versions"),
    ("table", "versions-table", "Software and devices"),
    ("section", "digests", "SHA-256 digests"),
    ("table", "digests-table", "SHA-256 digests"),
)


def _place_all() -> dict[str, Place]:
    numbers = {"figure": 0, "table": 0}
    places = {}
    for kind, anchor, title in _ORDER:
        if kind in numbers:
            numbers[kind] += 1
        places[anchor] = Place(anchor, title, kind, numbers.get(kind))
    return places


PLACES: Mapping[str, Place] = _place_all()  # by anchor, in the order of the page
SECTIONS = tuple(place for place in PLACES.values() if place.kind == "section")
