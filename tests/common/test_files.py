"""Atomic writing: the old content or the new, never a torn one."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from bs_common.errors import StorageFailed
from bs_common.files import require_space, write_atomic


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


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "Free space on the disk"),
        (errno.EDQUOT, "quota"),
        (errno.EROFS, "writable again"),
        (errno.EACCES, "Let this user write"),
        (errno.EFBIG, "ulimit -f"),
        (errno.EIO, "have the disk looked at"),
        (errno.EMFILE, "Check the disk"),
    ],
)
def test_a_failed_write_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, remedy: str
) -> None:
    def fail(_descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)

    with pytest.raises(StorageFailed, match=os.strerror(number)) as failed:
        write_atomic(tmp_path / "file", b"new")
    assert failed.value.errno == number
    assert remedy in failed.value.remedy
    assert "the work goes on" in failed.value.remedy


def test_a_limit_on_the_size_of_files_is_met_for_real(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomic(path, b"old")
    program = (
        "import resource, sys; from pathlib import Path; from bs_common.files import write_atomic\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: write_atomic(Path(sys.argv[1]), bytes(2000))\n"
        "except Exception as error: print(type(error).__name__, error.errno)"
    )

    command = [sys.executable, "-c", program, str(path)]
    said = subprocess.run(command, capture_output=True, text=True, check=False)

    assert said.stdout.split() == ["StorageFailed", str(errno.EFBIG)], said.stderr
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_room_that_is_there_is_enough(tmp_path: Path) -> None:
    require_space(tmp_path, 1000, what="A round")


def test_too_little_room_is_told_with_both_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: SimpleNamespace(free=2_000_000))

    with pytest.raises(StorageFailed, match=r"A round needs 60\.0 MB.* 2\.0 MB left") as failed:
        require_space(tmp_path, 60_000_000, what="A round")
    assert "Free space" in failed.value.remedy
