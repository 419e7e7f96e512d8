"""The flow of scans as numbers: received, refused, in the study, split, judged, for every site.

The boxes follow STARD 2015 (Bossuyt et al., BMJ 351:h5527, item 19). A box with a hidden part has
no total, for the part would follow from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bs_server.report import wording
from bs_server.results.summary import (
    CohortCount,
    ExternalSummary,
    SiteSummary,
    Summary,
)

A_SITE_HIDES = "hidden (a site hides its part)"


@dataclass(frozen=True, slots=True)
class Box:
    """Scans of both labels; None where a count is hidden.

    hidden : how the hidden part reads; empty where all is shown.
    """

    metastasis: int | None
    no_metastasis: int | None
    hidden: str = ""

    @property
    def total(self) -> int | None:
        """Scans of both labels together."""
        return add((self.metastasis, self.no_metastasis))


@dataclass(frozen=True, slots=True)
class Refused:
    """Why scans left the flow: code -> count, None where hidden; `hidden` as in `Box`."""

    by_code: Mapping[str, int | None]
    hidden: str = ""

    @property
    def total(self) -> int | None:
        """Scans refused for any reason."""
        return add(self.by_code.values())


@dataclass(frozen=True, slots=True)
class Judged:
    """What the model called at an evaluate site, and what it could not judge any more."""

    refused: Refused
    called: Box
    not_called: Box

    @property
    def total(self) -> int | None:
        """Scans that were judged."""
        return add((self.called.total, self.not_called.total))


@dataclass(frozen=True, slots=True)
class SiteFlow:
    """One site's scans from the first box to the last.

    splits : by split, as the site described them.
    judged : None at a site that has judged nothing.
    """

    site: str
    role: str
    refused: Refused
    splits: Mapping[str, Box]
    judged: Judged | None

    @property
    def included(self) -> int | None:
        """Labelled scans in the study."""
        return add(box.total for box in self.splits.values())

    @property
    def received(self) -> int | None:
        """Included and refused together; scans without a label are not told and not counted."""
        return add((self.included, self.refused.total))


@dataclass(frozen=True, slots=True)
class Flow:
    """All sites' flows, and the splits over all of them."""

    sites: tuple[SiteFlow, ...]
    splits: Mapping[str, Box]

    @property
    def received(self) -> int | None:
        """Scans at the first box over all sites."""
        return add(site.received for site in self.sites)

    @property
    def refused(self) -> int | None:
        """Scans refused over all sites."""
        return add(site.refused.total for site in self.sites)

    @property
    def included(self) -> int | None:
        """Labelled scans over all sites."""
        return add(site.included for site in self.sites)

    @property
    def judged(self) -> int | None:
        """Scans judged over all sites; None where not every evaluate site has judged."""
        judging = [site for site in self.sites if site.role == "evaluate"]
        found = [site.judged for site in judging if site.judged is not None]
        if not found or len(found) < len(judging):
            return None
        return add(judged.total for judged in found)


def trace_flow(summary: Summary) -> Flow:
    """Follow the scans of a study."""
    results = {result.site: result for result in _results(summary)}
    sites = tuple(_site_flow(site, results.get(site.name)) for site in summary.sites)
    names = dict.fromkeys(split for site in sites for split in site.splits)
    splits = {name: _join([s.splits[name] for s in sites if name in s.splits]) for name in names}
    return Flow(sites, splits)


def add(counts: Iterable[int | None]) -> int | None:
    """Add counts; a sum with a hidden part is hidden, for the part would follow from it."""
    known = list(counts)
    return None if None in known else sum(count for count in known if count is not None)


def _results(summary: Summary) -> list[ExternalSummary]:
    if summary.external_sites or summary.external is None:
        return summary.external_sites
    return [summary.external]


def _site_flow(site: SiteSummary, result: ExternalSummary | None) -> SiteFlow:
    return SiteFlow(
        site=site.name,
        role=site.role,
        refused=_refused(site.refused, site.hidden, site.min_cell),
        splits={row.split: _split_box(row, site) for row in site.cohort},
        judged=None if result is None else _judged(result, site.min_cell),
    )


def _split_box(row: CohortCount, site: SiteSummary) -> Box:
    names = [f"{row.split}.{label}" for label in ("metastasis", "no_metastasis")]
    reason = _hidden_text(names, site.hidden, site.min_cell)
    return Box(row.metastasis, row.no_metastasis, reason)


def _judged(result: ExternalSummary, min_cell: int | None) -> Judged:
    called = _hidden_text(("tp", "fp"), result.hidden, min_cell)
    not_called = _hidden_text(("fn", "tn"), result.hidden, min_cell)
    return Judged(
        refused=_refused(result.refused, result.hidden, min_cell),
        called=Box(result.tp, result.fp, called),
        not_called=Box(result.fn, result.tn, not_called),
    )


def _refused(known: Mapping[str, int], hidden: Mapping[str, str], min_cell: int | None) -> Refused:
    prefix = "refused."
    names = [name for name in hidden if name.startswith(prefix)]
    by_code = {**known, **{name.removeprefix(prefix): None for name in names}}
    return Refused(dict(sorted(by_code.items())), _hidden_text(names, hidden, min_cell))


def _hidden_text(names: Iterable[str], hidden: Mapping[str, str], min_cell: int | None) -> str:
    reasons = [hidden[name] for name in names if name in hidden]
    return wording.hidden_text(reasons[0], min_cell) if reasons else ""


def _join(boxes: list[Box]) -> Box:
    return Box(
        add(box.metastasis for box in boxes),
        add(box.no_metastasis for box in boxes),
        A_SITE_HIDES if any(box.hidden for box in boxes) else "",
    )
