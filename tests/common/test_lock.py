"""One process at a time in a folder."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bs_common.errors import ConfigError, FolderInUse, StorageFailed
from bs_common.lock import LOCK_NAME, find_owner, own_folder

HOLD = """
import sys, time
from pathlib import Path
from bs_common.lock import own_folder
with own_folder(Path(sys.argv[1]), program="bs-test"):
    print("held", flush=True)
    time.sleep(60)
"""


def hold(folder: Path) -> subprocess.Popen[bytes]:
    """Start another process that holds the folder."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, folder], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    return process


def end(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    process.send_signal(number)
    process.communicate(timeout=10)


def test_a_folder_that_nobody_holds_has_no_owner(tmp_path: Path) -> None:
    assert find_owner(tmp_path) is None


def test_the_owner_is_named_while_the_folder_is_held(tmp_path: Path) -> None:
    with own_folder(tmp_path, program="bs-server"):
        owner = find_owner(tmp_path)

    assert owner is not None
    assert (owner.pid, owner.host, owner.program) == (
        os.getpid(),
        socket.gethostname(),
        "bs-server",
    )
    assert find_owner(tmp_path) is None


def test_a_second_process_is_refused_with_the_firsts_pid_and_host(tmp_path: Path) -> None:
    first = hold(tmp_path)

    with pytest.raises(FolderInUse) as refused, own_folder(tmp_path, program="bs-server"):
        pass

    end(first, signal.SIGTERM)
    assert f"process {first.pid} on {socket.gethostname()}" in str(refused.value)
    assert refused.value.remedy


def test_the_folder_of_a_killed_process_is_free_at_once(tmp_path: Path) -> None:
    end(hold(tmp_path), signal.SIGKILL)

    assert find_owner(tmp_path) is None
    with own_folder(tmp_path, program="bs-server"):
        pass


def test_looking_at_the_owner_does_not_take_the_lock_away(tmp_path: Path) -> None:
    with own_folder(tmp_path, program="bs-server"):
        find_owner(tmp_path)

        with pytest.raises(FolderInUse), own_folder(tmp_path, program="bs-server"):
            pass


def test_somebody_who_only_looks_does_not_make_a_start_fail(tmp_path: Path) -> None:
    (tmp_path / LOCK_NAME).touch()
    looking = os.open(tmp_path / LOCK_NAME, os.O_RDONLY)
    fcntl.flock(looking, fcntl.LOCK_SH)
    sleeps = iter([lambda: os.close(looking)])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "sleep", lambda _seconds: next(sleeps)())
        with own_folder(tmp_path, program="bs-server"):
            assert find_owner(tmp_path) is not None


def test_an_unreadable_owner_is_still_an_owner(tmp_path: Path) -> None:
    with own_folder(tmp_path, program="bs-server"):
        (tmp_path / LOCK_NAME).write_text("{torn")

        owner = find_owner(tmp_path)

    assert owner is not None
    assert owner.host == "?"


def test_a_folder_that_is_not_there_says_so(tmp_path: Path) -> None:
    with (
        pytest.raises(StorageFailed, match="No such file"),
        own_folder(tmp_path / "absent", program="x"),
    ):
        pass


def test_a_file_system_without_locks_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(_descriptor: int, _kind: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)

    with pytest.raises(ConfigError, match="knows no locks"), own_folder(tmp_path, program="x"):
        pass
