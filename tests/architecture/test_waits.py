"""Every wait in the programs has a deadline, as far as the source can tell."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCES = [
    path
    for side in ("common", "server", "client")
    for path in sorted((Path(__file__).parents[2] / side / "src").rglob("*.py"))
]
# Methods that wait for another thread, process or peer, and where their time limit stands.
WAITS = {
    "wait": 0,  # Event, Condition, Popen, Future of grpc
    "join": 0,  # Thread, Process
    "result": 0,  # Future
    "communicate": 1,  # Popen
    "acquire": 1,  # Lock
    "get": 1,  # Queue, told from a mapping's by having no argument at all
    "accept": 99,
    "recv": 99,
}
# Waits without a limit of their own, each with what ends them.
ENDED_OTHERWISE = {
    ("bs_client/check/crew.py", "result"): "asked of futures that are done",
    ("bs_client/cli/scans.py", "wait"): "receives until somebody ends the command",
    ("bs_client/dicom/decoder.py", "communicate"): "follows kill -9",
    ("bs_client/federation/desk.py", "get"): "the desk puts None when it is left",
    ("bs_server/processes.py", "wait"): "follows kill -9",
}


def waits(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Give method and line of each wait without a limit."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        name, given = node.func.attr, len(node.args)
        if name not in WAITS or {"timeout", "timeout_s"} & {k.arg for k in node.keywords}:
            continue
        of_text = name == "join" and isinstance(node.func.value, ast.Constant)
        if of_text or (name == "get" and (given or node.keywords)):
            continue
        if given <= WAITS[name]:
            yield name, node.lineno


def test_a_wait_without_a_limit_is_found() -> None:
    tree = ast.parse("e.wait()\nt.join()\nq.get()\nf.result()\nd.get('k')\n', '.join(x)\ne.wait(3)")

    assert [name for name, _ in waits(tree)] == ["wait", "join", "get", "result"]


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p).rpartition("/src/")[2])
def test_every_wait_has_a_deadline(path: Path) -> None:
    where = str(path).rpartition("/src/")[2]
    found = [
        f"line {line}: {name}()"
        for name, line in waits(ast.parse(path.read_text()))
        if (where, name) not in ENDED_OTHERWISE
    ]

    assert not found, f"{where} waits without a limit: {found}"


def test_every_exception_is_still_needed() -> None:
    seen = {
        (str(path).rpartition("/src/")[2], name)
        for path in SOURCES
        for name, _ in waits(ast.parse(path.read_text()))
    }

    assert set(ENDED_OTHERWISE) <= seen
