"""Command line of a site."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

# Flower reads both when it is imported: it must not call home from inside a hospital.
os.environ["FLWR_TELEMETRY_ENABLED"] = "0"
os.environ["FLWR_DISABLE_UPDATE_CHECK"] = "1"

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from bs_client.config import DataSettings, Policy, SiteFolder
from bs_common.errors import BoneScanError

app = typer.Typer(
    help="A site of a federated bone-scan study: scans, labels, scores and maps stay here.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

SiteArgument = Annotated[Path, typer.Argument(help="Folder of this site's part in the study.")]
StyleName = Literal["aachen", "aalborg", "namur"]
PresetName = Literal["realistic", "conspicuous"]
HERE = Path()


@contextmanager
def _explained() -> Iterator[None]:
    """Print an intended error with its remedy and end with status 1."""
    try:
        yield
    except BoneScanError as error:
        err.print(f"Error: {error}", markup=False, soft_wrap=True)
        if error.remedy:
            err.print(f"What to do: {error.remedy}", markup=False, soft_wrap=True)
        raise typer.Exit(1) from error


@app.command()
def join(
    invitation: Annotated[Path, typer.Argument(help="The file that the coordinator sent.")],
    data: Annotated[Path, typer.Option(help="Folder with the DICOM files.")],
    labels: Annotated[Path, typer.Option(help="Labels CSV.")],
    site: Annotated[Path, typer.Option(help="Folder to make for this study.")] = HERE,
    min_cell: Annotated[int, typer.Option(help="Smallest count that leaves.", min=1)] = 5,
) -> None:
    """Join a study: make a key here, pin the coordinator, write the file to hand back."""
    from bs_client.federation.join import join_study

    with _explained():
        joined = join_study(
            SiteFolder(site),
            invitation,
            data=DataSettings(scans=data.resolve(), labels=labels.resolve()),
            policy=Policy(min_cell=min_cell),
        )
    agreed = joined.invitation
    out.print(f"Joined '{agreed.settings.name}' as {agreed.site}, role {agreed.role}.")
    out.print(f"Key fingerprint (compare by telephone): {joined.key_sha256}", soft_wrap=True)
    out.print(f"Send {joined.enrolment} to the coordinator. Then: bs-client run {site}")


@app.command()
def run(site: SiteArgument = HERE) -> None:
    """Connect to the coordinator, reconnect when needed, and work until the study ends."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with _explained():
        from bs_client.federation.session import take_part
        from bs_client.federation.work import open_site

        folder = SiteFolder(site)
        finished = take_part(folder, open_site(folder), stop)
    out.print("The study is over." if finished else "Stopped. To go on: bs-client run")


@app.command()
def audit(site: SiteArgument = HERE) -> None:
    """Verify the record of everything that left this site, and show it."""
    from bs_client.federation.audit import read_entries

    with _explained():
        entries = read_entries(SiteFolder(site).audit)
    table = Table("time", "way", "message", "round", "bytes", "verdict")
    for entry in entries:
        columns = ("time", "direction", "message_type", "round_number", "size_bytes", "verdict")
        table.add_row(*(str(entry[column]) for column in columns))
    out.print(table)
    out.print(f"{len(entries)} entries; the chain is whole.")


@app.command()
def phantom(
    folder: Annotated[Path, typer.Argument(help="Where scans, masks and labels.csv go.")],
    style: Annotated[StyleName, typer.Option(help="Whose camera and vendor.")],
    preset: Annotated[
        PresetName, typer.Option(help="How plain the metastases are to see.")
    ] = "realistic",
    seed: Annotated[int, typer.Option(help="Same seed, same bytes.", min=0)] = 0,
    train: Annotated[str, typer.Option(help="Scans with + without metastasis.")] = "0+0",
    validation: Annotated[str, typer.Option(help="Scans with + without metastasis.")] = "0+0",
    external: Annotated[str, typer.Option(help="Scans with + without metastasis.")] = "0+0",
) -> None:
    """Make synthetic bone scans as DICOM objects, with labels and lesion masks."""
    from bs_client.phantom.cohort import CohortCounts, write_cohort
    from bs_client.phantom.site_style import STYLES

    counts = CohortCounts(
        **_pair("train", train), **_pair("validation", validation), **_pair("external", external)
    )
    with _explained(), _bar() as bar:
        task = bar.add_task(f"scans in the style of {style}", total=None)
        labels = write_cohort(
            folder,
            style=STYLES[style],
            counts=counts,
            seed=seed,
            preset=preset,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    out.print(f"Synthetic scans and {labels}", soft_wrap=True)


def _pair(split: str, text: str) -> dict[str, int]:
    """Read '28+66' as scans with and without metastasis."""
    positive, _, negative = text.partition("+")
    if not (positive.isdecimal() and negative.isdecimal()):
        raise typer.BadParameter("such as 28+66: with + without", param_hint=f"--{split}")
    return {f"{split}_positive": int(positive), f"{split}_negative": int(negative)}


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=err,
        disable=not err.is_terminal,
    )


def main() -> None:
    """Run `bs-client`."""
    app()
