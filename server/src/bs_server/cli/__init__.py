"""Command line of the coordinator: every command by name; a module holds those of one task."""

from __future__ import annotations

import os

# Flower reads both when it is imported: it must not call home from inside a study.
os.environ["FLWR_TELEMETRY_ENABLED"] = "0"
os.environ["FLWR_DISABLE_UPDATE_CHECK"] = "1"

from importlib import import_module, metadata
from typing import Annotated

import click
import typer
from typer.core import TyperGroup

# The module of each command, in the order of the help.
COMMANDS = {
    **dict.fromkeys(("init", "invite", "enrol"), "members"),
    **dict.fromkeys(("revoke", "renew"), "trust"),
    "run": "study",
    **dict.fromkeys(("status", "stop", "pause", "resume"), "watch"),
    "ask-readers": "readers",
    "audit": "trust",
    "report": "results",
    "compare": "comparison",
    "export": "export",
    "release": "results",
    "demo": "demo",
    "simulate": "simulate",
}


class _Commands(TyperGroup):
    """Imports the module of the command that is asked for: `status` needs no Flower."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Give every command's name."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Give a command, or None where there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"bs_server.cli.{COMMANDS[cmd_name]}")
        alone = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
        alone.command(cmd_name)(getattr(module, cmd_name.replace("-", "_")))
        return typer.main.get_command(alone)


app = typer.Typer(
    cls=_Commands,
    help="Coordinator of a federated bone-scan study: no image ever comes here.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"bs-server {metadata.version('bs-server')}")
        raise typer.Exit


@app.callback()
def coordinator(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and end."
        ),
    ] = False,
) -> None:
    """Take what holds for every command."""


def main() -> None:
    """Run `bs-server`."""
    app()
