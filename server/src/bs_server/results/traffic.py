"""What passed between the coordinator and each site, counted from the coordinator's audit log."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from pathlib import Path

from bs_common.audit import PASSED, TORN_LINE, Entry, read_log
from bs_common.joining import Sha256
from bs_server.results.external_values import Count, Value


class Traffic(Value):
    """Messages of one kind between the coordinator and one site; bytes are of their content.

    kind : the message type's last word, such as ``train``.
    sent : from the coordinator to the site.
    received : from the site, those that were not used (`refused`) included.
    """

    site: str
    kind: str
    sent: Count
    sent_bytes: Count
    received: Count
    received_bytes: Count
    refused: Count


class AuditSummary(Value):
    """The coordinator's audit log when the summary was made.

    lines, head : how many lines it had, and the SHA-256 of the last. Whoever notes the head can
        prove later that all lines up to there are as they were.
    refused_requests : reason -> requests and connections that were refused at the door.
    """

    lines: Count
    head: Sha256
    traffic: list[Traffic]
    refused_requests: dict[str, Count]


def find_audit(path: Path, sites: Collection[str]) -> AuditSummary | None:
    """Count a log by site and kind of message; None where no log was kept.

    Raises TrustError if the log's chain is broken.
    """
    if not path.exists():
        return None
    chain = read_log(path)
    messages = [entry for entry in chain.entries if _is_message(entry, sites)]
    others = [entry for entry in chain.entries if not _is_message(entry, sites)]
    refused: Counter[str] = Counter()
    for entry in others:
        if entry["verdict"] not in (PASSED, TORN_LINE):
            refused[str(entry["verdict"])] += _number(entry, "count")
    return AuditSummary(
        lines=len(chain.hashes),
        head=chain.head,
        traffic=_count(messages),
        refused_requests=dict(sorted(refused.items())),
    )


def _is_message(entry: Entry, sites: Collection[str]) -> bool:
    """Tell a message of the study from a request that got no further than the door."""
    return entry["peer"] in sites and _number(entry, "round_number") >= 0


def _count(entries: Iterable[Entry]) -> list[Traffic]:
    counts: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for entry in entries:
        kind = str(entry["message_type"]).rpartition(".")[2]
        cell = counts[str(entry["peer"]), kind]
        way = "sent" if entry["direction"] == "out" else "received"
        cell[way] += _number(entry, "count")
        cell[f"{way}_bytes"] += _number(entry, "size_bytes")
        if way == "received" and entry["verdict"] != PASSED:
            cell["refused"] += _number(entry, "count")
    names = ("sent", "sent_bytes", "received", "received_bytes", "refused")
    return [
        Traffic(site=site, kind=kind, **{name: cell[name] for name in names})
        for (site, kind), cell in sorted(counts.items())
    ]


def _number(entry: Entry, name: str) -> int:
    return int(str(entry[name]))
