"""Every wait in the packages has a deadline, found in the source itself.

What is looked for: a wait without a timeout (`Event.wait()`, `Thread.join()`, `Queue.get()`,
`Future.result()`, `Popen.communicate()` and the like), a loop that nothing in it ends, a network
client or a connection without a timeout. What is left stands in `ALLOWED` with its reason.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ("client/src", "common/src", "server/src")

# A method that waits, and the position at which its timeout may stand without a name.
WAITS = {
    "wait": 0,
    "join": 0,
    "result": 0,
    "communicate": 1,
    "acquire": 1,
    "get": 1,
    "wait_for_termination": 0,
}
TIMEOUT_NAMES = {"timeout", "timeout_s", "timeout_seconds", "block", "blocking"}
# A function that waits, and the position of its timeout.
FUNCTIONS = {"create_connection": 1, "urlopen": 2, "as_completed": 1, "select": 3}

# file and enclosing function -> why this wait may lack a deadline of its own.
ALLOWED: dict[str, str] = {
    "client/src/bs_client/check/crew.py: _attempt": "every scan has its own limit in the decoder",
    "client/src/bs_client/cli/scans.py: receive": "a receiver listens until its admin ends it",
    "client/src/bs_client/dicom/decoder.py: close": "after SIGKILL, which nothing survives",
    "client/src/bs_client/federation/desk.py: _work": "the desk puts None when it is left",
    "server/src/bs_server/processes.py: __exit__": "after SIGKILL, which nothing survives",
    "server/src/bs_server/cli/watch.py: _watch": "shows a picture until its reader has enough",
}


def findings() -> Iterator[tuple[str, str]]:
    for folder in SOURCES:
        for path in sorted((ROOT / folder).rglob("*.py")):
            for function, what in unbounded(path.read_text("utf-8")):
                yield f"{path.relative_to(ROOT)}: {function}", what


def unbounded(source: str) -> list[tuple[str, str]]:
    """Give every wait without a deadline, with the function it stands in."""
    found: list[tuple[str, str]] = []
    _search(ast.parse(source), "module", found)
    return found


def _search(node: ast.AST, function: str, found: list[tuple[str, str]]) -> None:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        function = node.name
    if isinstance(node, ast.Call) and (what := _call_without_timeout(node)):
        found.append((function, what))
    if isinstance(node, ast.While) and _is_true(node.test) and not _ends(node):
        found.append((function, "while True"))
    for child in ast.iter_child_nodes(node):
        _search(child, function, found)


def _call_without_timeout(call: ast.Call) -> str | None:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else None
    plain = call.func.id if isinstance(call.func, ast.Name) else name
    named = {keyword.arg: keyword.value for keyword in call.keywords}
    if any(_is_none(named.get(timeout)) for timeout in TIMEOUT_NAMES & set(named)):
        return f"{plain}(timeout=None)"
    place = FUNCTIONS.get(plain or "")
    if place is not None and len(call.args) <= place and not TIMEOUT_NAMES & set(named):
        return f"{plain}() without a timeout"
    if name is None or name not in WAITS or TIMEOUT_NAMES & set(named):
        return None
    if name in ("get", "join") and (call.args or named):
        return None  # a table's .get(key), a text's .join(words); a thread's has its seconds
    if len(call.args) > WAITS[name]:
        return f"{name}(None)" if _is_none(call.args[WAITS[name]]) else None
    return f"{name}() without a timeout"


def _is_none(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _is_true(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and bool(node.value)


def _ends(loop: ast.While) -> bool:
    """Tell whether something in the loop leaves it by a clock, a count or an answer."""
    return any(
        isinstance(node, ast.Return | ast.Raise | ast.Break)
        for statement in loop.body
        for node in ast.walk(statement)
    )


def test_every_wait_has_a_deadline_or_a_reason() -> None:
    found = {f"{where}: {what}" for where, what in findings() if where not in ALLOWED}

    assert not found, "\n".join(sorted(found))


def test_no_reason_is_left_over() -> None:
    assert set(ALLOWED) == {where for where, _ in findings()} & set(ALLOWED)


@pytest.mark.parametrize(
    "source",
    [
        "event.wait()",
        "event.wait(None)",
        "event.wait(timeout=None)",
        "thread.join()",
        "queue.get()",
        "future.result()",
        "process.communicate()",
        "process.communicate(b'')",
        "process.wait()",
        "lock.acquire()",
        "socket.create_connection(('a', 1))",
        "create_connection(('a', 1), timeout=None)",
        "httpx.Client(timeout=None)",
        "as_completed(futures)",
        "select.select([a], [], [])",
        "while True:\n    work()",
        "while 1:\n    time.sleep(1)",
        "def run():\n    while True:\n        poll()",
    ],
)
def test_a_wait_without_a_deadline_is_found(source: str) -> None:
    assert unbounded(source)


@pytest.mark.parametrize(
    "source",
    [
        "event.wait(1.0)",
        "event.wait(timeout=left)",
        "thread.join(5)",
        "thread.join(timeout=5)",
        "', '.join(words)",
        "queue.get(timeout=1)",
        "table.get(key)",
        "future.result(10)",
        "process.communicate(timeout=10)",
        "lock.acquire(timeout=1)",
        "lock.acquire(blocking=False)",
        "socket.create_connection(('a', 1), 5)",
        "httpx.Client(timeout=30)",
        "select.select([a], [], [], 1.0)",
        "while True:\n    if time.monotonic() > end:\n        break",
        "while time.monotonic() < end:\n    poll()",
    ],
)
def test_a_wait_with_a_deadline_is_not_complained_of(source: str) -> None:
    assert not unbounded(source)
