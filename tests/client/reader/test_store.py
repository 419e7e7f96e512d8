"""The database: answers can be added and not changed, and old and new files are told apart."""

from __future__ import annotations

import sqlite3
import stat
from pathlib import Path

import pytest

from bs_client.reader.open_study import open_study
from bs_client.reader.protocol import ReaderStudyFolder
from bs_client.reader.schema import APPEND_ONLY
from bs_client.reader.store import Store
from bs_common.errors import ConfigError, TrustError
from support.reading_visitors import Study


def read_some(study: Study) -> Path:
    reader = study.reader()
    reader.post("draft", {**reader.see(), "score": 1, "call": None, "comment": ""})
    reader.answer()
    return study.opened.folder.database


@pytest.mark.parametrize("table", [name for name in APPEND_ONLY if name != "model_result"])
def test_nothing_that_was_said_can_be_changed_or_removed(study: Study, table: str) -> None:
    database = sqlite3.connect(read_some(study))
    column = {"fact": "name", "case_image": "code"}.get(table, "id")

    for change in (f"UPDATE {table} SET {column} = {column}", f"DELETE FROM {table}"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            database.execute(change)


def test_an_answer_is_on_disk_before_it_is_confirmed(study: Study) -> None:
    database = sqlite3.connect(study.opened.folder.database)

    assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    study.reader().answer(77)

    assert database.execute("SELECT score FROM answer").fetchall() == [(77,)]


def test_a_file_of_a_newer_version_is_refused(study: Study) -> None:
    path = study.opened.folder.database
    study.opened.store.close()
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")

    with pytest.raises(ConfigError, match="has version 99, this program knows 1"):
        Store(path)


def test_a_file_that_is_no_database_is_explained(tmp_path: Path) -> None:
    (tmp_path / "study.sqlite").write_text("no database, but long enough to look like a file" * 99)

    with pytest.raises(ConfigError, match="not a database of a reader study"):
        Store(tmp_path / "study.sqlite")


def test_a_new_database_belongs_to_its_owner_alone(tmp_path: Path) -> None:
    Store(tmp_path / "study.sqlite", create=True).close()

    assert stat.S_IMODE((tmp_path / "study.sqlite").stat().st_mode) == 0o600


def test_a_protocol_that_was_changed_afterwards_is_refused(study: Study) -> None:
    folder = ReaderStudyFolder(study.opened.folder.path)
    text = folder.protocol.read_text()
    folder.protocol.write_text(text.replace('"idle_cutoff_s": 60', '"idle_cutoff_s": 600'))

    with pytest.raises(TrustError, match="not the protocol that this study was made with"):
        open_study(folder, study.clock)
