from __future__ import annotations

from bs_server.report.privacy import policy_rows, refusal_rows
from bs_server.results.summary import Refusal, Summary
from support.page_text import PageText


def test_messages_and_their_bytes_are_told_for_each_site(page: str) -> None:
    text = PageText(page)

    assert text.row("aachen", "train", "1020") == [
        *("aachen", "train", "1020", "1.1 GB", "1021", "1.1 GB", "3")
    ]


def test_the_head_of_the_audit_log_is_told(page: str) -> None:
    text = PageText(page)

    assert text.row("Head (SHA-256 of the last line)")[1] == "d" * 64
    assert text.row("Lines")[1] == "4711"


def test_refusals_are_added_up_by_reason(summary: Summary) -> None:
    rows = [(row.what, row.reason, row.count) for row in refusal_rows(summary)]

    assert rows == [
        ("train of aalborg", "not_finite", 2),
        ("request at the coordinator's door", "unknown_key", 12),
    ]


def test_a_refused_reply_that_is_also_the_verdict_counts_once(summary: Summary) -> None:
    entry = summary.rounds[1]
    refusal = Refusal(name="aalborg", message="train", attempt=1, reason="not_finite")
    rounds = [entry.model_copy(update={"refusals": [refusal]})]

    rows = refusal_rows(summary.model_copy(update={"rounds": rounds, "audit": None}))

    assert [(row.what, row.count) for row in rows] == [("train of aalborg", 1)]


def test_a_limit_that_is_not_the_usual_one_is_said(summary: Summary) -> None:
    limits = (5, 1, 10)
    sites = [
        site.model_copy(update={"min_cell": limit, "terms_sha256": "c" * 64})
        for site, limit in zip(summary.sites, limits, strict=True)
    ]

    rows = policy_rows(summary.model_copy(update={"sites": sites}))

    assert [row.differs for row in rows] == [
        *("no", "lower than the default of 5", "higher than the default of 5")
    ]
    assert {row.terms for row in rows} == {"c" * 64}
