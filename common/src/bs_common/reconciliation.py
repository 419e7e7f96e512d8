"""Comparing a site's log with the coordinator's: what one has and the other has not, and why.

Every message is counted by its direction, type, round and the SHA-256 of its content. A chain alone
cannot prove its last lines; the other party's log can, since nobody wrote both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from bs_common.audit import TORN_LINE, Entry

Party = Literal["site", "coordinator"]

_TURNED = {"in": "out", "out": "in"}
# SHA-256 of nothing: an answer that is only a code. `bs_common.content.NOTHING` is the same.
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@dataclass(frozen=True, slots=True)
class Counted:
    """What is compared; `direction` is as the site sees it."""

    direction: str
    message_type: str
    round_number: int
    content_sha256: str


@dataclass(frozen=True, slots=True)
class Difference:
    """Messages that one log has and the other has not.

    serious : no crash, broken connection or deadline leaves such a trace.
    """

    what: Counted
    count: int
    only_at: Party
    reason: str
    serious: bool


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """How two logs agree: messages that both have, and every difference."""

    agreed: int
    differences: tuple[Difference, ...]

    @property
    def serious(self) -> tuple[Difference, ...]:
        """Differences that somebody has to explain."""
        return tuple(difference for difference in self.differences if difference.serious)


def reconcile(
    site_entries: Iterable[Entry], coordinator_entries: Iterable[Entry], *, site: str
) -> Reconciliation:
    """Compare a site's entries with those that the coordinator has of that site."""
    at_site = _count(site_entries, turned=False)
    at_coordinator = _count((e for e in coordinator_entries if e["peer"] == site), turned=True)
    differences = [
        *_missing(at_site - at_coordinator, "site"),
        *_missing(at_coordinator - at_site, "coordinator"),
    ]
    return Reconciliation((at_site & at_coordinator).total(), tuple(differences))


def _count(entries: Iterable[Entry], *, turned: bool) -> Counter[Counted]:
    counts: Counter[Counted] = Counter()
    for entry in entries:
        kind, direction = str(entry["message_type"]), str(entry["direction"])
        if entry["round_number"] == -1 and not _is_message(kind, entry):
            continue
        counted = Counted(
            _TURNED[direction] if turned else direction,
            kind,
            int(str(entry["round_number"])),
            str(entry["content_sha256"]),
        )
        counts[counted] += int(str(entry["count"]))
    return counts


def _is_message(kind: str, entry: Entry) -> bool:
    """Tell a message of the study from a refused request and from a line about the log itself."""
    refused_request = kind.startswith("/") or kind in ("connection", "http")
    return not refused_request and entry["verdict"] != TORN_LINE


def _missing(counts: Counter[Counted], only_at: Party) -> list[Difference]:
    found = []
    for what, count in sorted(counts.items(), key=lambda item: (item[0].round_number, str(item))):
        reason, serious = _explain(what, only_at)
        found.append(Difference(what, count, only_at, reason, serious))
    return found


def _explain(what: Counted, only_at: Party) -> tuple[str, bool]:
    match (what.direction, only_at):
        case ("in", "coordinator"):
            return "asked while the site was away or broke off; it was asked again", False
        case ("out", "site"):
            return "left the site after a broken connection or a deadline; it never counted", False
        case ("out", "coordinator") if what.content_sha256 == EMPTY:
            return "only a code, which the coordinator gave itself (such as revoked)", False
        case ("in", "site"):
            return "the site was asked something that the coordinator's log does not have", True
    return "the coordinator received something that the site's log does not have", True


def describe(found: Reconciliation) -> list[str]:
    """Say the result in lines for a person."""
    lines = [f"{found.agreed} messages are in both logs with the same content."]
    for difference in found.differences:
        what = difference.what
        mark = "!!" if difference.serious else "  "
        lines.append(
            f"{mark} {difference.count} only at the {difference.only_at}: {what.direction} "
            f"{what.message_type}, round {what.round_number}, {what.content_sha256[:12]}: "
            f"{difference.reason}"
        )
    serious = sum(difference.count for difference in found.serious)
    lines.append(
        f"{serious} of them must be explained (marked !!)."
        if serious
        else "Nothing is left to explain."
    )
    return lines
