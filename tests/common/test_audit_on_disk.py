"""The audit log under several threads and on a full disk."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Thread

import pytest

from bs_common.audit import AuditLog, Passage, read_entries
from bs_common.errors import StorageFailed
from support.fake_site import TIME

PASSAGE = Passage("in", "train", 1, (), 0, "0" * 64, "passed")


def test_lines_of_two_threads_form_one_chain(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.jsonl", lambda: TIME)

    def write() -> None:
        for _ in range(40):
            log.record(PASSAGE)

    threads = [Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(read_entries(tmp_path / "audit.jsonl")) == 160


def test_a_line_that_the_disk_refuses_leaves_the_log_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "audit.jsonl"
    log = AuditLog(path, lambda: TIME)
    log.record(PASSAGE)
    before = path.read_bytes()

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", full)
        with pytest.raises(StorageFailed, match="No space"):
            log.record(PASSAGE)

    assert path.read_bytes() == before
    log.record(PASSAGE)
    assert len(read_entries(path)) == 2
