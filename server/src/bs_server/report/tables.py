"""The report's tables as rows of finished text, so that the template only places them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import get_args

from bs_common.contract import MessageType, reply_shapes, requests_of
from bs_common.settings import Role
from bs_common.terms import contents_of
from bs_server.report import wording
from bs_server.report.external import observed_share
from bs_server.report.published import PUBLISHED
from bs_server.results.summary import (
    ACCEPTED,
    MISSING,
    CohortCount,
    ExternalSummary,
    SiteSummary,
    Summary,
)


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
class CalibrationRow:
    """One bin of predicted probability."""

    probability: str
    count: str
    positives: str
    observed: str


@dataclass(frozen=True, slots=True)
class MessageRow:
    """One kind of message, and how many of it each counted site sent."""

    kind: str
    content: str
    numbers: tuple[str, ...]


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


def calibration_rows(external: ExternalSummary, *, min_cell: int | None) -> list[CalibrationRow]:
    """Give a row for every bin of predicted probability."""
    rows = []
    for index, entry in enumerate(external.calibration or ()):
        count, positives = (
            wording.cell(
                wording.count(getattr(entry, name)),
                f"calibration.{index}.{name}",
                external.hidden,
                min_cell=min_cell,
            )
            for name in ("count", "positives")
        )
        share = wording.rate("tpr", observed_share(entry)) or wording.GAP
        rows.append(
            CalibrationRow(f"{entry.low:.3f}{wording.GAP}{entry.high:.3f}", count, positives, share)
        )
    return rows


def message_rows(summary: Summary) -> list[MessageRow]:
    """Give a row for every kind of message, with a number for every site in `messages`."""
    contents = {
        kind.value.rpartition(".")[2]: contents_of(kind, summary.settings)
        for kind in MessageType
        if any(kind in requests_of(role, summary.settings) for role in get_args(Role))
        and (kind is not MessageType.INITIAL or reply_shapes(kind, summary.settings))
    }
    sent = (kind for kinds in summary.messages.values() for kind in kinds)
    return [
        MessageRow(
            kind=kind,
            content=contents.get(kind, wording.GAP),
            numbers=tuple(f"{kinds.get(kind, 0):d}" for kinds in summary.messages.values()),
        )
        for kind in dict.fromkeys((*contents, *sent))
    ]


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
