"""Coordinator and sites of a study as processes that a test kills, stops and starts again."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from bs_client.federation.audit import read_entries
from support import disturbed
from support.study_maker import MadeStudy

COORDINATOR = "coordinator"
TESTS = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
PATIENCE_S = 180.0  # a busy machine is slow; nothing here measures time

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["support.disturbed", "support.slow_site", "bs_server.cli"])


class _Forked:
    """A forked process that answers as `subprocess.Popen` does."""

    def __init__(self, process: ForkServerProcess) -> None:
        self._process = process
        self.pid = process.pid or 0

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("a forked party", timeout or 0)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        self._process.kill()


class Parties:
    """The processes of one study; all of them end with the context.

    Every process of a party appends to ``run.log`` in the party's folder.
    """

    def __init__(self, study: MadeStudy) -> None:
        self.study = study
        self._running: dict[str, subprocess.Popen[bytes] | _Forked] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in self._running.values():
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
                process.wait()

    @property
    def sites(self) -> list[str]:
        return list(self.study.sites)

    def start(self, *names: str, disturb: Sequence[str] = (), words: Sequence[str] = ()) -> None:
        """Start parties: `bs-server run`, and sites with `support.slow_site`.

        They are forked from a process that has imported everything, which spares each the seconds
        of its imports.
        """
        for name in names:
            if name == COORDINATOR:
                program = ["bs_server.cli", "run", str(self.study.folder.path), "--json"]
            else:
                program = ["support.slow_site", str(self.study.sites[name].path)]
            listening, saying = _FORKS.Pipe(duplex=False)
            process = _FORKS.Process(
                target=disturbed.run, args=([*disturb, *program, *words], saying), daemon=True
            )
            process.start()
            saying.close()
            output = os.fdopen(os.dup(listening.fileno()), "rb")
            listening.close()
            self._follow(name, _Forked(process), output)

    def start_client(self, *names: str) -> None:
        """Start sites with the product's own `bs-client run`."""
        for name in names:
            self.start_command(name, [str(BIN / "bs-client"), "run", str(self.folder(name))])

    def start_command(self, name: str, command: Sequence[str]) -> None:
        process = subprocess.Popen(  # its output goes through a pipe: see `_follow`
            command,
            cwd=TESTS,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        assert process.stdout is not None
        self._follow(name, process, process.stdout)

    def _follow(
        self, name: str, process: subprocess.Popen[bytes] | _Forked, output: IO[bytes]
    ) -> None:
        """Write down what a party says; by way of a pipe, so that one on a full disk can."""
        self._running[name] = process
        log = self.folder(name) / "run.log"
        threading.Thread(target=_copy, args=(output, log), daemon=True).start()

    def kill(self, name: str) -> None:
        """kill -9, and nothing is left of the process when this returns."""
        self.signal(name, signal.SIGKILL)
        self._running[name].wait(10)

    def signal(self, name: str, number: signal.Signals) -> None:
        self._running[name].send_signal(number)

    def wait_for_end(self, name: str, seconds: float) -> int:
        """Give the status with which a party ends by itself."""
        return self._running[name].wait(seconds)

    def wait_or_none(self, name: str, seconds: float) -> int | None:
        """Give the status of a party that ends in time, None for one that goes on."""
        try:
            return self._running[name].wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def try_second(self, name: str) -> int:
        """Start a second process of a party beside the first; give the status it ends with."""
        first = self._running[name]
        self.start(name)
        status = self._running[name].wait(PATIENCE_S)
        self._running[name] = first
        return status

    def pid(self, name: str) -> int:
        return self._running[name].pid

    def finish(self, seconds: float = PATIENCE_S) -> None:
        """Wait until every process has ended with status 0."""
        end = time.monotonic() + seconds
        for name, process in self._running.items():
            try:
                status = process.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                raise AssertionError(f"{name} does not end:\n{self.tails()}") from None
            assert status == 0, f"{name} ended with {status}:\n{self.tails()}"

    def folder(self, name: str) -> Path:
        return self.study.folder.path if name == COORDINATOR else self.study.sites[name].path

    def log(self, name: str) -> str:
        path = self.folder(name) / "run.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def tails(self) -> str:
        return "\n".join(
            f"--- {name}\n" + "\n".join(self.log(name).splitlines()[-12:])
            for name in (COORDINATOR, *self.sites)
        )

    def events(self, kind: str) -> list[dict[str, Any]]:
        """What the coordinator said on its `--json` output, over all its processes."""
        lines = [line for line in self.log(COORDINATOR).splitlines() if line.startswith('{"event"')]
        found = [json.loads(line) for line in lines if line.endswith("}")]
        return [event for event in found if event["event"] == kind]

    def rounds(self) -> int:
        """How many rounds are on disk."""
        return len(list(self.study.folder.rounds.glob("[0-9]*")))

    def passed(self, name: str, direction: str, message_type: str) -> int:
        """How many messages of a type have passed a site's door."""
        path = self.study.sites[name].audit
        if not path.exists():
            return 0
        return sum(
            (entry["direction"], entry["message_type"]) == (direction, message_type)
            for entry in read_entries(path)
        )

    def worked(self, name: str) -> list[str]:
        """The pieces of work that a site finished, as often as it did."""
        path = self.folder(name) / "worked.log"
        return path.read_text().splitlines() if path.exists() else []

    def until(self, claim: Callable[[], object], seconds: float = PATIENCE_S) -> None:
        """Wait for something to be so."""
        end = time.monotonic() + seconds
        while not claim():
            if time.monotonic() > end:
                raise AssertionError(f"it did not come to this:\n{self.tails()}")
            time.sleep(0.01)


def _copy(output: IO[bytes], log: Path) -> None:
    with output, log.open("ab", buffering=0) as file:
        for line in output:
            file.write(line)


def weights_of(study: MadeStudy, rounds: int) -> list[bytes]:
    """Give the bytes of the weights of every round, round 0 included."""
    folders = [study.folder.rounds / f"{number:04d}" for number in range(rounds + 1)]
    return [(folder / "weights.safetensors").read_bytes() for folder in folders]
