"""Whatever a run of the tests has started ends with it, also when the run is killed (Linux).

A process beside the run waits for its end and kills all that carry the run's mark. The mark is in
the environment, which children inherit in any session of their own and at any depth.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

MARK = "TESTS_RUN"
_PROC = Path("/proc")


def end_children_with_this_process() -> None:
    """Call before anything is started; does nothing where there is no ``/proc``."""
    if not _PROC.is_dir():
        return
    os.environ[MARK] = f"{os.getpid()}-{time.time_ns()}"
    subprocess.Popen(
        [sys.executable, "-SE", __file__, str(os.getpid()), os.environ[MARK]],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C and a killed group do not reach it
    )


def _wait_for_end(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        select.select([os.pidfd_open(pid)], [], [])


def _marked(mark: str) -> list[int]:
    """Give the processes started with the mark in their environment, this one left out."""
    word = f"{MARK}={mark}".encode()
    found = []
    for folder in _PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError):  # ended meanwhile, or somebody else's
            if word in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return [pid for pid in found if pid != os.getpid()]


def _kill_marked(mark: str) -> None:
    while marked := _marked(mark):  # again: one may have started another meanwhile
        for pid in marked:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


if __name__ == "__main__":
    _wait_for_end(int(sys.argv[1]))
    _kill_marked(sys.argv[2])
