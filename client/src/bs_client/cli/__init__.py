"""Command line of a site: every command by name; each module holds the commands of one task."""

from __future__ import annotations

import os

# Flower reads both when it is imported: it must not call home from inside a hospital.
os.environ["FLWR_TELEMETRY_ENABLED"] = "0"
os.environ["FLWR_DISABLE_UPDATE_CHECK"] = "1"

from importlib import metadata
from typing import Annotated

import typer

from bs_client.cli.audit import audit
from bs_client.cli.evidence import compare_scores, metrics, sanity
from bs_client.cli.joining import join, preflight
from bs_client.cli.reader_study import app as reader_study
from bs_client.cli.results import predict
from bs_client.cli.run import run
from bs_client.cli.scans import check, cohort, deidentify, phantom, receive

app = typer.Typer(
    help="A site of a federated bone-scan study: scans, labels, scores and maps stay here.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for _command in (
    *(join, preflight, check, cohort, run, audit),
    *(predict, metrics, compare_scores, sanity),
    *(receive, deidentify, phantom),
):
    app.command()(_command)
app.add_typer(reader_study, name="reader-study")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"bs-client {metadata.version('bs-client')}")
        raise typer.Exit


@app.callback()
def site(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and end."
        ),
    ] = False,
) -> None:
    """Take what holds for every command."""


def main() -> None:
    """Run `bs-client`."""
    app()
