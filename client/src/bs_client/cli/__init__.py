"""Command line of a site: every command by name; each module holds the commands of one task."""

from __future__ import annotations

import os

# Flower reads both when it is imported: it must not call home from inside a hospital.
os.environ["FLWR_TELEMETRY_ENABLED"] = "0"
os.environ["FLWR_DISABLE_UPDATE_CHECK"] = "1"

import typer

from bs_client.cli.evidence import metrics, sanity
from bs_client.cli.results import predict
from bs_client.cli.scans import check, deidentify, phantom, receive
from bs_client.cli.study import audit, join, run

app = typer.Typer(
    help="A site of a federated bone-scan study: scans, labels, scores and maps stay here.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for _command in (join, check, run, audit, predict, metrics, sanity, receive, deidentify, phantom):
    app.command()(_command)


def main() -> None:
    """Run `bs-client`."""
    app()
