"""The contracts of pyproject.toml, and Flower internals kept in three modules."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ("client/src", "common/src", "server/src")
# Flower promises these to stay (https://flower.ai/docs, public API); everything else may move.
PUBLIC_FLOWER = ("app", "clientapp", "serverapp")
LINKS = {
    Path("common/src/bs_common/flower_objects.py"),
    Path("client/src/bs_client/federation/link.py"),
    Path("server/src/bs_server/gateway/link.py"),
}


def test_every_import_contract_is_kept() -> None:
    # In a process of its own: import-linter configures logging and silences every other logger.
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]

    linted = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert linted.returncode == 0, linted.stdout


def test_flower_internals_are_imported_by_the_links_and_what_they_share_alone() -> None:
    importers = {
        path.relative_to(ROOT)
        for folder in SOURCES
        for path in (ROOT / folder).rglob("*.py")
        if any(is_flower_internal(module) for module in imported(path.read_text("utf-8")))
    }

    assert importers == LINKS


@pytest.mark.parametrize(
    ("source", "internal"),
    [
        ("from flwr.app import Message", False),
        ("import flwr.serverapp.strategy", False),
        ("import numpy as np", False),
        ("from flwrite import pen", False),
        ("from flwr.server.superlink import fleet", True),
        ("from flwr import common", True),
        ("def late() -> None:\n    import flwr.proto.fleet_pb2", True),
    ],
)
def test_a_flower_internal_is_told_from_the_public_api(source: str, internal: bool) -> None:
    assert any(is_flower_internal(module) for module in imported(source)) is internal


def is_flower_internal(module: str) -> bool:
    package, _, rest = module.partition(".")
    return package == "flwr" and rest.partition(".")[0] not in PUBLIC_FLOWER


def imported(source: str) -> Iterator[str]:
    """Give every imported name in full, as `flwr.app.Message`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
