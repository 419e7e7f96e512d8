from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from bs_common.audit import PASSED, AuditLog, Passage, verify
from bs_common.errors import TrustError
from bs_server.results.traffic import find_audit

NOW = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)


def passage(direction: str, kind: str, *, size: int = 10, **fields: object) -> Passage:
    given = {"peer": "aachen", "verdict": PASSED, "round_number": 1, "count": 1} | fields
    return Passage(direction, kind, keys=(), size_bytes=size, content_sha256="0" * 64, **given)  # type: ignore[arg-type]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "audit.jsonl"
    audit = AuditLog(path, lambda: NOW)
    for one in (
        passage("out", "train", size=100),
        passage("in", "train", size=70),
        passage("in", "train", size=30, verdict="not_finite"),
        passage("out", "query.describe", peer="aalborg", round_number=0),
        passage("in", "/fleet/pull", peer="10.0.0.7", round_number=-1, verdict="unknown_key"),
        passage("in", "/x", peer="many", round_number=-1, verdict="unknown_key", count=41),
        passage("in", "/fleet/push", round_number=-1, verdict="not_yours"),
    ):
        audit.record(one)
    return path


def test_messages_are_counted_by_site_and_kind_in_both_directions(log: Path) -> None:
    found = find_audit(log, {"aachen", "aalborg"})

    assert found is not None
    by_key = {(one.site, one.kind): one for one in found.traffic}
    assert set(by_key) == {("aachen", "train"), ("aalborg", "describe")}
    train = by_key["aachen", "train"]
    assert (train.sent, train.sent_bytes) == (1, 100)
    assert (train.received, train.received_bytes, train.refused) == (2, 100, 1)


def test_requests_refused_at_the_door_are_added_up_and_name_nobody(log: Path) -> None:
    found = find_audit(log, {"aachen", "aalborg"})

    assert found is not None
    assert found.refused_requests == {"not_yours": 1, "unknown_key": 42}
    assert "10.0.0.7" not in found.model_dump_json()


def test_the_head_is_that_of_the_log(log: Path) -> None:
    found = find_audit(log, {"aachen"})

    assert found is not None
    assert (found.lines, found.head) == (7, verify(log))


def test_a_study_without_a_log_has_none(tmp_path: Path) -> None:
    assert find_audit(tmp_path / "audit.jsonl", set()) is None


def test_a_changed_log_is_not_counted(log: Path) -> None:
    log.write_bytes(log.read_bytes().replace(b'"count":41', b'"count":40'))

    with pytest.raises(TrustError):
        find_audit(log, {"aachen"})
