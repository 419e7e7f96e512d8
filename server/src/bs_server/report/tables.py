"""The report's tables as rows of finished text, so that the template only places them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bs_server.report import wording
from bs_server.report.evaluated import Evaluated
from bs_server.report.published import PUBLISHED
from bs_server.results.summary import (
    ACCEPTED,
    MISSING,
    CohortCount,
    ExternalSummary,
    SiteSummary,
    Summary,
)

_BESIDE = 3  # results beside each other: more do not fit a printed page


@dataclass(frozen=True, slots=True)
class CohortRow:
    """Scans of one split, at one site or over all of them."""

    site: str
    split: str
    metastasis: str
    no_metastasis: str
    total: str


@dataclass(frozen=True, slots=True)
class SiteRow:
    """A site's part in the study and what it could not use; refusals are (code, count)."""

    name: str
    role: str
    used: str
    refused: tuple[tuple[str, str], ...]
    device: str


@dataclass(frozen=True, slots=True)
class RoundRow:
    """One round; the last three name sites, with the reason.

    refused, missing : train replies that were not accepted, or did not come.
    unvalidated : sites whose scans the pooled figures are without.
    """

    round: int
    best: bool
    pooled_auc: str
    validation_loss: str
    validation_examples: str
    seconds: str
    accepted: int
    refused: tuple[str, ...]
    missing: tuple[str, ...]
    unvalidated: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReplyRow:
    """One site's reply in one round."""

    round: int
    site: str
    verdict: str
    num_examples: str
    loss: str
    accuracy: str


@dataclass(frozen=True, slots=True)
class RateRow:
    """One figure of the external result."""

    label: str
    value: str
    interval: str
    published: str


@dataclass(frozen=True, slots=True)
class BesideRow:
    """One figure of several results: (value, interval) for each."""

    label: str
    cells: tuple[tuple[str, str], ...]
    published: str


@dataclass(frozen=True, slots=True)
class BesideTable:
    """Results side by side, as many as fit a printed page."""

    names: tuple[str, ...]
    rows: tuple[BesideRow, ...]


def cohort_rows(summary: Summary) -> list[CohortRow]:
    """Give a row for every site and split."""
    return [_cohort_row(site, row) for site in summary.sites for row in site.cohort]


def cohort_totals(summary: Summary) -> list[CohortRow]:
    """Give a row over all sites for every split that more than one site has."""
    splits = [row.split for site in summary.sites for row in site.cohort]
    totals = []
    for split in dict.fromkeys(splits):
        counts = [row for site in summary.sites for row in site.cohort if row.split == split]
        if len(counts) > 1:
            metastasis = _sum(row.metastasis for row in counts)
            no_metastasis = _sum(row.no_metastasis for row in counts)
            both = _sum((metastasis, no_metastasis))
            texts = (
                wording.count(value) or "not shown" for value in (metastasis, no_metastasis, both)
            )
            totals.append(CohortRow("All sites", split, *texts))
    return totals


def site_rows(summary: Summary) -> list[SiteRow]:
    """Give a row for every site: role, scans used, scans refused by code."""
    return [_site_row(site) for site in summary.sites]


def refusals(
    owner: SiteSummary | ExternalSummary, *, min_cell: int | None
) -> tuple[tuple[str, str], ...]:
    """Give (code, count) of what could not be used, hidden counts as such, by code."""
    hidden = [name.removeprefix("refused.") for name in owner.hidden if name.startswith("refused.")]
    refused = [(code, f"{count:d}") for code, count in owner.refused.items()]
    refused += [
        (code, wording.cell(None, f"refused.{code}", owner.hidden, min_cell=min_cell))
        for code in hidden
    ]
    return tuple(sorted(refused))


def round_rows(summary: Summary) -> list[RoundRow]:
    """Give a row for every round with its pooled validation."""
    rows = []
    for entry in sorted(summary.rounds, key=lambda entry: entry.round):
        auc = wording.pooled_auc(entry.pooled_auc, entry.pooled_auc_bound)
        loss = wording.number(entry.validation_loss, 4)
        examples = wording.count(entry.validation_examples)
        used = {it.name for it in entry.sites if it.verdict == ACCEPTED}
        unused = [it for it in entry.sites if it.name not in used]
        refused = [f"{it.name}: {it.verdict}" for it in unused if it.verdict not in MISSING]
        missing = [f"{it.name}: {it.verdict}" for it in unused if it.verdict in MISSING]
        refused += [
            f"{it.name}: {it.reason} (attempt {it.attempt}, then accepted)"
            for it in entry.refusals
            if it.message == "train" and it.name in used
        ]
        unvalidated = [f"{name}: {reason}" for name, reason in entry.not_validated.items()]
        rows.append(
            RoundRow(
                round=entry.round,
                best=entry.round == summary.best_round,
                pooled_auc=wording.cell(auc, "pooled_auc", entry.hidden),
                validation_loss=wording.cell(loss, "validation_loss", entry.hidden),
                validation_examples=wording.cell(examples, "validation_examples", entry.hidden),
                seconds=wording.number(entry.seconds, 1) or wording.GAP,
                accepted=len(used),
                refused=tuple(refused),
                missing=tuple(missing),
                unvalidated=tuple(unvalidated),
            )
        )
    return rows


def reply_rows(summary: Summary) -> list[ReplyRow]:
    """Give a row for every reply of a site."""
    return [
        ReplyRow(
            round=entry.round,
            site=it.name,
            verdict=it.verdict,
            num_examples=wording.cell(
                wording.count(it.num_examples), f"{it.name}.num_examples", entry.hidden
            ),
            loss=wording.cell(wording.number(it.loss, 4), f"{it.name}.loss", entry.hidden),
            accuracy=wording.cell(
                wording.rate("accuracy", it.accuracy), f"{it.name}.accuracy", entry.hidden
            ),
        )
        for entry in sorted(summary.rounds, key=lambda entry: entry.round)
        for it in entry.sites
    ]


def rate_rows(external: ExternalSummary) -> list[RateRow]:
    """Give the AUC and every rate, the known ones in the paper's order."""
    names = [name for name in wording.RATE_LABELS if _is_reported(external, name)]
    names += [name for name in external.rates if name not in wording.RATE_LABELS]
    ci = wording.interval("auc", *external.auc_ci) if external.auc_ci else None
    auc = wording.number(external.auc, 3)
    first = RateRow(
        label="Area under the ROC curve",
        value=wording.cell(auc, "auc", external.hidden),
        interval=wording.cell(ci, "auc_ci", external.hidden),
        published=PUBLISHED["auc"],
    )
    return [first, *(_rate_row(external, name) for name in names)]


def beside_tables(results: Sequence[Evaluated]) -> list[BesideTable]:
    """Put the counts, the AUC and the rates of several results side by side."""
    groups = [results[start : start + _BESIDE] for start in range(0, len(results), _BESIDE)]
    return [_beside(group) for group in groups]


def _beside(results: Sequence[Evaluated]) -> BesideTable:
    found = [{row.label: row for row in _result_rows(one)} for one in results]
    labels = dict.fromkeys(label for rows in found for label in rows)
    rows = []
    for label in labels:
        cells = [rows_of.get(label) for rows_of in found]
        known = next(cell for cell in cells if cell is not None)
        texts = tuple((c.value, c.interval) if c else (wording.GAP, "") for c in cells)
        rows.append(BesideRow(label, texts, known.published))
    return BesideTable(tuple(one.name for one in results), tuple(rows))


def _result_rows(one: Evaluated) -> list[RateRow]:
    counts = [
        RateRow(
            label=label,
            value=wording.cell(
                wording.count(getattr(one.result, name)),
                name,
                one.result.hidden,
                min_cell=one.min_cell,
            ),
            interval="",
            published=wording.GAP,
        )
        for name, label in wording.COUNT_LABELS.items()
    ]
    total = wording.count(_sum(getattr(one.result, name) for name in wording.COUNT_LABELS))
    scans = RateRow("Scans judged", total or "not shown", "", wording.GAP)
    return [scans, *counts, *rate_rows(one.result), *_further_rows(one.result)]


def _further_rows(external: ExternalSummary) -> list[RateRow]:
    """Give what else is known of the AUC: its bootstrap interval, and a pooled one's bracket."""
    rows = []
    if external.auc_bootstrap_ci is not None:
        between = wording.interval("auc", *external.auc_bootstrap_ci) or wording.GAP
        value = wording.number(external.auc, 3) or wording.GAP
        rows.append(RateRow("AUC, bootstrap interval", value, between, wording.GAP))
    if external.auc_bound is not None:
        bound = f"\N{PLUS-MINUS SIGN} {external.auc_bound:.4f}"
        rows.append(RateRow("AUC, bound that score bins leave", bound, "", wording.GAP))
    return rows


def _cohort_row(site: SiteSummary, row: CohortCount) -> CohortRow:
    metastasis, no_metastasis = (
        wording.cell(
            wording.count(getattr(row, name)),
            f"{row.split}.{name}",
            site.hidden,
            min_cell=site.min_cell,
        )
        for name in ("metastasis", "no_metastasis")
    )
    total = wording.count(_sum((row.metastasis, row.no_metastasis))) or "not shown"
    return CohortRow(site.name, row.split, metastasis, no_metastasis, total)


def _site_row(site: SiteSummary) -> SiteRow:
    used = _sum(value for row in site.cohort for value in (row.metastasis, row.no_metastasis))
    return SiteRow(
        name=site.name,
        role=site.role,
        used=wording.count(used) or "not shown",
        refused=refusals(site, min_cell=site.min_cell),
        device=site.device,
    )


def _is_reported(external: ExternalSummary, name: str) -> bool:
    return name in external.rates or f"rates.{name}" in external.hidden


def _rate_row(external: ExternalSummary, name: str) -> RateRow:
    rate = external.rates.get(name)
    value = wording.rate(name, rate.value) if rate else None
    between = wording.interval(name, rate.low, rate.high) if rate else None
    return RateRow(
        label=wording.RATE_LABELS.get(name, name),
        value=wording.cell(value, f"rates.{name}", external.hidden),
        interval=between or wording.GAP,
        published=PUBLISHED.get(name, wording.GAP),
    )


def _sum(counts: Iterable[int | None]) -> int | None:
    # A sum with a hidden part would give the part away by subtraction.
    known = list(counts)
    return None if None in known else sum(value for value in known if value is not None)
