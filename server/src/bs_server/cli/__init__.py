"""Command line of the coordinator: every command by name; a module holds those of one task."""

from __future__ import annotations

import os

# Flower reads both when it is imported: it must not call home from inside a study.
os.environ["FLWR_TELEMETRY_ENABLED"] = "0"
os.environ["FLWR_DISABLE_UPDATE_CHECK"] = "1"

import typer

from bs_server.cli.comparison import compare
from bs_server.cli.demo import demo
from bs_server.cli.members import enrol, init, invite
from bs_server.cli.results import release, report
from bs_server.cli.simulate import simulate
from bs_server.cli.study import run
from bs_server.cli.trust import audit, renew, revoke
from bs_server.cli.watch import pause, resume, status, stop

app = typer.Typer(
    help="Coordinator of a federated bone-scan study: no image ever comes here.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for _command in (
    *(init, invite, enrol, revoke, renew),
    *(run, status, stop, pause, resume),
    *(audit, report, compare, release, demo, simulate),
):
    app.command()(_command)


def main() -> None:
    """Run `bs-server`."""
    app()
