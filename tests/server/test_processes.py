"""Child processes that end together."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from bs_common.errors import StudyStopped
from bs_server.processes import Processes


def python(program: str) -> list[str]:
    return [sys.executable, "-S", "-c", program]


def wait_for_end(processes: Processes) -> None:
    end = time.monotonic() + 10
    while processes.running() and time.monotonic() < end:
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_processes_that_end_by_themselves_are_waited_for(tmp_path: Path) -> None:
    with Processes() as processes:
        processes.start("one", python("print('done')"), log=tmp_path / "one.log")

        processes.wait_for_all(10)

        assert processes.running() == []
    assert (tmp_path / "one.log").read_text() == "done\n"


def test_every_process_ends_with_the_context(tmp_path: Path) -> None:
    program = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    pids = []
    with Processes() as processes:
        for name in ("one", "two"):
            pipe = processes.start(name, python(program), log=tmp_path / name, piped=True)
            pids.append(int(pipe.readline()))
            pipe.close()
        assert processes.running() == ["one", "two"]

    assert not any(is_alive(pid) for pid in pids)


def test_every_process_ends_when_the_program_fails(tmp_path: Path) -> None:
    program = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"

    with pytest.raises(RuntimeError), Processes() as processes:
        pipe = processes.start("one", python(program), log=tmp_path / "log", piped=True)
        pid = int(pipe.readline())
        pipe.close()
        raise RuntimeError

    assert not is_alive(pid)


def test_a_failed_process_is_told_with_the_end_of_its_log(tmp_path: Path) -> None:
    program = "import sys; [print('line', k) for k in range(9)]; sys.exit(3)"
    with Processes() as processes:
        processes.start("site", python(program), log=tmp_path / "site.log")
        wait_for_end(processes)

        with pytest.raises(StudyStopped, match="site ended with status 3") as stopped:
            processes.check()

    assert "line 8" in str(stopped.value)
    assert "line 3" not in str(stopped.value)
    assert str(tmp_path / "site.log") in stopped.value.remedy


def test_what_still_runs_after_the_deadline_is_named(tmp_path: Path) -> None:
    with Processes() as processes:
        processes.start("slow", python("import time; time.sleep(60)"), log=tmp_path / "log")

        with pytest.raises(StudyStopped, match=r"Still running .*: slow\."):
            processes.wait_for_all(0.05)
