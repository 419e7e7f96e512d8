"""A log as rows, as CSV and as JSON."""

from __future__ import annotations

import csv
import datetime
import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from bs_common.audit import AuditLog, Chain, Passage, read_log
from bs_common.audit_table import SHOWN, export, row
from bs_common.errors import ConfigError

TIME = datetime.datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=datetime.UTC)
PASSAGE = Passage("out", "train", 3, ("arrays.w", "metrics.loss"), 1042, "ab" * 32, "passed")


@pytest.fixture
def chain(tmp_path: Path) -> Chain:
    log = AuditLog(tmp_path / "audit.jsonl", lambda: TIME)
    log.record(PASSAGE)
    log.record(replace(PASSAGE, round_number=-1, verdict="too_many", peer="10.0.0.9", count=40))
    log.record(replace(PASSAGE, message_type="=cmd()", direction="in"))
    return read_log(tmp_path / "audit.jsonl")


def test_a_row_fits_the_columns(chain: Chain) -> None:
    shown = dict(zip(SHOWN, row(chain.entries[0]), strict=True))

    assert shown["time"] == "2026-01-02 03:04:05"
    assert (shown["message"], shown["round"], shown["way"]) == ("train", "3", "out")
    assert (shown["bytes"], shown["keys"], shown["sha-256"]) == ("1042", "2", "abababababab")


def test_a_line_that_stands_for_many_says_how_many(chain: Chain) -> None:
    shown = dict(zip(SHOWN, row(chain.entries[1]), strict=True))

    assert (shown["verdict"], shown["peer"], shown["round"]) == ("too_many x40", "10.0.0.9", "")


def test_a_csv_holds_every_field_and_no_formula(chain: Chain, tmp_path: Path) -> None:
    path = tmp_path / "audit.csv"
    export(chain, path)

    rows = list(csv.DictReader(path.open()))
    assert [row["count"] for row in rows] == ["1", "40", "1"]
    assert rows[0]["keys"] == "arrays.w metrics.loss"
    assert rows[2]["message_type"] == "'=cmd()"
    assert rows[1]["previous"] == chain.hashes[0]


def test_a_json_holds_the_entries_and_the_head(chain: Chain, tmp_path: Path) -> None:
    path = tmp_path / "audit.json"
    export(chain, path)

    held = json.loads(path.read_text())
    assert held["head"] == chain.head
    assert held["entries"] == list(chain.entries)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_another_ending_is_refused(chain: Chain, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\.csv or \.json") as refused:
        export(chain, tmp_path / "audit.xlsx")
    assert "--export audit.csv" in refused.value.remedy
