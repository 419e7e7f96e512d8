"""Two workers get whole halves of the tests: a study is neither run twice nor beside another."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]
WHO = """
import os, pytest

@pytest.mark.parametrize("number", range(4))
def test_who(number):
    with open("who.txt", "a") as file:
        file.write(f"{os.environ['PYTEST_XDIST_WORKER']} {__file__} {number}\\n")
"""


def test_each_worker_gets_one_half_in_its_order(tmp_path: Path) -> None:
    places = ("client", "common", "integration", "server")
    for place in places:
        (tmp_path / "tests" / place).mkdir(parents=True)
        (tmp_path / "tests" / place / f"test_{place}.py").write_text(WHO)
    words = ["-q", "--rootdir", str(tmp_path), "-n", "2", "-p", "support.halves", "tests"]
    environment = os.environ | {"PYTHONPATH": str(TESTS)}

    subprocess.run(
        [sys.executable, "-m", "pytest", *words], cwd=tmp_path, env=environment, check=True
    )

    lines = (tmp_path / "who.txt").read_text().splitlines()
    by_worker: dict[str, list[str]] = {}
    for worker, file, number in map(str.split, lines):
        by_worker.setdefault(worker, []).append(f"{Path(file).parent.name} {number}")
    assert sorted(by_worker.values()) == [
        [f"{place} {number}" for place in ("client", "common", "server") for number in range(4)],
        [f"integration {number}" for number in range(4)],
    ]
