"""Atomic writing: the old content or the new, never a torn one."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from bs_common.files import write_atomic


def test_new_content_replaces_the_old(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomic(path, b"old")

    write_atomic(path, b"new")

    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_the_mode_is_the_one_asked_for_whatever_the_umask(tmp_path: Path, mode: int) -> None:
    before = os.umask(0o077)
    try:
        write_atomic(tmp_path / "file", b"", mode=mode)
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == mode


def test_a_failed_write_keeps_the_old_content_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    write_atomic(path, b"old")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(OSError, match="No space left"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_a_reader_that_holds_the_old_file_reads_it_to_the_end(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomic(path, b"old content")

    with path.open("rb") as reader:
        write_atomic(path, b"new")

        assert reader.read() == b"old content"
