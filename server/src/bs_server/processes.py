"""Child processes that end together, each with a log of its own."""

from __future__ import annotations

import io
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from bs_common.errors import StudyStopped

STOP_S = 15.0  # a party has this long to end in order


@dataclass(frozen=True, slots=True)
class _Started:
    process: subprocess.Popen[bytes]
    log: Path


class Processes:
    """Child processes that all end when the context does, however it ends."""

    def __init__(self) -> None:
        self._started: dict[str, _Started] = {}

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_: object) -> None:
        for started in self._started.values():
            if started.process.poll() is None:
                started.process.terminate()
        end = time.monotonic() + STOP_S
        for started in self._started.values():
            try:
                started.process.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                started.process.kill()
                started.process.wait()

    def start(
        self, name: str, command: Sequence[str], *, log: Path, piped: bool = False
    ) -> IO[bytes]:
        """Start a process; its messages go to `log`, its output there or to the given pipe."""
        with log.open("wb") as messages:
            process = subprocess.Popen(  # noqa: S603 - our own programs, no shell
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if piped else messages,
                stderr=messages,
                # Ctrl-C reaches this program alone, which then ends the others in order.
                start_new_session=True,
            )
        self._started[name] = _Started(process, log)
        return process.stdout or io.BytesIO()

    def running(self) -> list[str]:
        """Names of the processes that have not ended."""
        return [name for name, s in self._started.items() if s.process.poll() is None]

    def check(self) -> None:
        """Raise StudyStopped if a process has failed, with the last lines of its log."""
        for name, started in self._started.items():
            if started.process.poll() not in (None, 0):
                tail = "\n".join(started.log.read_text(errors="replace").splitlines()[-5:])
                raise StudyStopped(
                    f"{name} ended with status {started.process.returncode}:\n{tail}",
                    remedy=f"Its whole log: {started.log}",
                )

    def wait_for_all(self, seconds: float) -> None:
        """Wait until every process has ended by itself."""
        end = time.monotonic() + seconds
        while self.running() and time.monotonic() < end:
            self.check()
            time.sleep(0.05)
        if self.running():
            raise StudyStopped(f"Still running after the study: {', '.join(self.running())}.")
        self.check()
