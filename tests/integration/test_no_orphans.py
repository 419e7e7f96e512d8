"""A run of the tests that is killed leaves no process of a study behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from support.attacked import wait_for

TESTS = Path(__file__).parents[1]
RUN = """
import subprocess, sys, time
from support.no_orphans import end_children_with_this_process

end_children_with_this_process()
child = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"
grandchild = "import os, time; print(os.getppid(), os.getpid(), flush=True); time.sleep(600)"
subprocess.Popen([sys.executable, "-c", child, grandchild], start_new_session=True)
time.sleep(600)
"""


def alive(pid: int) -> bool:
    """Tell whether a process runs; one that waits to be collected has ended."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def test_what_a_killed_run_has_started_ends_with_it_at_any_depth() -> None:
    environment = os.environ | {"PYTHONPATH": str(TESTS)}
    with subprocess.Popen(
        [sys.executable, "-c", RUN], env=environment, stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        started = [int(word) for word in run.stdout.readline().split()]
        assert all(map(alive, started))

        run.kill()

        wait_for(lambda: not any(map(alive, started)), seconds=60)
