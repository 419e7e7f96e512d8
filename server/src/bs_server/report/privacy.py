"""What passed and what was refused, as tables: messages, policies, refusals, the audit log."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import get_args

from bs_common.contract import MessageType, reply_shapes, requests_of
from bs_common.settings import Role
from bs_common.terms import contents_of
from bs_server.report import wording
from bs_server.results.summary import ACCEPTED, MISSING, SiteSummary, Summary

DEFAULT_MIN_CELL = 5


@dataclass(frozen=True, slots=True)
class MessageRow:
    """One kind of message and what a site's answer to it holds."""

    kind: str
    content: str


@dataclass(frozen=True, slots=True)
class TrafficRow:
    """Messages of one kind between a site and the coordinator: how many, and their bytes."""

    site: str
    kind: str
    received: str
    received_bytes: str
    sent: str
    sent_bytes: str
    refused: str


@dataclass(frozen=True, slots=True)
class PolicyRow:
    """What one site agreed to and how small a count it lets out."""

    site: str
    min_cell: str
    differs: str
    terms: str


@dataclass(frozen=True, slots=True)
class RefusalRow:
    """Something that was refused, with its reason and how often."""

    what: str
    reason: str
    count: int


def message_rows(summary: Summary) -> list[MessageRow]:
    """Give a row for every kind of message of the study."""
    settings = summary.settings
    asked = {kind for role in get_args(Role) for kind in requests_of(role, settings)}
    return [
        MessageRow(kind.value.rpartition(".")[2], contents_of(kind, settings))
        for kind in MessageType
        if kind in asked and (kind is not MessageType.INITIAL or reply_shapes(kind, settings))
    ]


def traffic_rows(summary: Summary) -> list[TrafficRow]:
    """Give a row for every site and kind of message that passed; empty without a log."""
    if summary.audit is None:
        return []
    order = [row.kind for row in message_rows(summary)]
    found = sorted(
        summary.audit.traffic,
        key=lambda it: (it.site, order.index(it.kind) if it.kind in order else len(order)),
    )
    return [
        TrafficRow(
            site=it.site,
            kind=it.kind,
            received=f"{it.received:d}",
            received_bytes=wording.size(it.received_bytes),
            sent=f"{it.sent:d}",
            sent_bytes=wording.size(it.sent_bytes),
            refused=f"{it.refused:d}",
        )
        for it in found
    ]


def policy_rows(summary: Summary) -> list[PolicyRow]:
    """Give a row for every site, saying where its limit is not the usual one."""
    return [
        PolicyRow(
            site=site.name,
            min_cell="not stated" if site.min_cell is None else f"{site.min_cell:d}",
            differs=_difference(site),
            terms=site.terms_sha256 or "not recorded",
        )
        for site in summary.sites
    ]


def refusal_rows(summary: Summary) -> list[RefusalRow]:
    """Give what the coordinator did not use and whom it did not let in, by reason."""
    replies: Counter[tuple[str, str]] = Counter()
    for entry in summary.rounds:
        noted = {(it.name, it.reason) for it in entry.refusals if it.message == "train"}
        for refusal in entry.refusals:
            replies[f"{refusal.message} of {refusal.name}", refusal.reason] += 1
        for reply in entry.sites:
            unused = reply.verdict not in (ACCEPTED, *MISSING)
            if unused and (reply.name, reply.verdict) not in noted:
                replies[f"train of {reply.name}", reply.verdict] += 1
    rows = [RefusalRow(what, reason, count) for (what, reason), count in sorted(replies.items())]
    if summary.audit is not None:
        rows += [
            RefusalRow("request at the coordinator's door", reason, count)
            for reason, count in summary.audit.refused_requests.items()
        ]
    return rows


def _difference(site: SiteSummary) -> str:
    if site.min_cell is None or site.min_cell == DEFAULT_MIN_CELL:
        return "no"
    way = "lower" if site.min_cell < DEFAULT_MIN_CELL else "higher"
    return f"{way} than the default of {DEFAULT_MIN_CELL}"
