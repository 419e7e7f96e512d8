"""Command line of a site."""

from __future__ import annotations

import json
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
out = Console(highlight=False, markup=False)  # a path or a message may hold brackets
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
    min_cell: Annotated[int, typer.Option(help="Smallest count that leaves.", min=1, max=1000)] = 5,
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
    out.print(f"Send {joined.enrolment} to the coordinator.", soft_wrap=True)
    out.print(f"Then: bs-client run {site}", soft_wrap=True)


@app.command()
def check(
    path: Annotated[
        Path, typer.Argument(help="The site's folder, or any folder with DICOM files.")
    ] = HERE,
    labels: Annotated[
        Path | None, typer.Option(help="Labels CSV of a folder that is no site's.")
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(
            help="Where results and small pictures are kept. Default: the site's cache; "
            "without a site ~/.cache/bs-client."
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes that read. Default: one for each core.", min=1)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Read every scan as training will and say what became of it; status 1 if it cannot start."""
    from bs_client.check.crew import available_cores
    from bs_client.check.outcome import check_path
    from bs_client.check.report import as_json as report_as_json
    from bs_client.check.table import render

    with _bar() as bar:
        tasks = {}

        def show(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what)
            bar.update(tasks[what], completed=done, total=total)

        outcome = check_path(
            path,
            labels=labels,
            cache=cache,
            workers=workers or available_cores(),
            progress=show,
        )
    report, page = outcome.report, outcome.page
    if as_json:
        print(json.dumps(report_as_json(report, page=page)))
    else:
        out.print(render(report))
        if page is not None:
            out.print(f"Look at the scans in {page}", soft_wrap=True)
        for reason in report.reasons:
            err.print(f"Training could not start: {reason}", markup=False, soft_wrap=True)
        if report.ready:
            out.print("Training could start.")
    if not report.ready:
        raise typer.Exit(1)


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
def predict(
    model: Annotated[Path, typer.Argument(help="The released model, STUDY-model.bsm.")],
    scans: Annotated[list[Path], typer.Argument(help="DICOM files or folders; only read.")],
    folder: Annotated[Path, typer.Option("--out", help="Where the results go.")],
    site: Annotated[Path | None, typer.Option(help="Site whose pinned key must fit.")] = None,
    key: Annotated[Path | None, typer.Option(help="release.pub of the study.")] = None,
    backbone: Annotated[Path | None, typer.Option(help="Weights file of the backbone.")] = None,
    dicom: Annotated[bool, typer.Option("--dicom", help="Write DICOM results as well.")] = False,
    maps: Annotated[bool, typer.Option(help="Draw a Grad-CAM map of each scan.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a study.")] = False,
) -> None:
    """Read scans with a released model: probability, call, map. Research, not diagnosis.

    Ends with status 1 where no scan could be read.
    """
    from bs_client.predict.command import open_predictor
    from bs_client.predict.outcome import count_verdicts, write_results
    from bs_client.predict.studies import Wanted, predict_studies, prepare_folder

    outcomes = []
    with _explained():
        predictor = open_predictor(
            model,
            folder,
            site=None if site is None else SiteFolder(site),
            key_file=key,
            backbone_file=backbone,
            wanted=Wanted(maps=maps, dicom=dicom),
        )
        prepare_folder(folder, scans)
        with _bar() as bar:
            task = bar.add_task("scans", total=None)
            for outcome in predict_studies(
                scans,
                predictor,
                progress=lambda done, total: bar.update(task, completed=done, total=total),
            ):
                outcomes.append(outcome)
                if as_json:
                    print(outcome.to_json(), flush=True)
                elif outcome.case is not None:
                    out.print(outcome.line(), soft_wrap=True)
        table = write_results(folder, outcomes)
    if not as_json:
        counts = ", ".join(f"{code} {n}" for code, n in count_verdicts(outcomes).items())
        out.print(f"{counts or 'Nothing found'}. Table: {table}", soft_wrap=True)
    if not any(outcome.accepted for outcome in outcomes):
        raise typer.Exit(1)


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
def receive(
    inbox: Annotated[Path, typer.Option(help="Folder that receives the scans.")],
    allow: Annotated[
        list[str] | None,
        typer.Option(help="AE title of a sender; repeat for more. Without any, nobody may send."),
    ] = None,
    ae_title: Annotated[str, typer.Option(help="What senders must call this one.")] = "BONESCAN",
    port: Annotated[int, typer.Option(help="Where to listen.", min=1, max=65535)] = 11112,
    host: Annotated[
        str,
        typer.Option(
            help="Address to listen at. By default this machine alone can send: for a PACS name "
            "the address of the network card that it reaches."
        ),
    ] = "127.0.0.1",
) -> None:
    """Receive bone scans that a PACS pushes (DICOM storage), until stopped."""
    from bs_client.receive import Inbox, ReceiverSettings, listening

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with _explained():
        settings = ReceiverSettings(ae_title, tuple(allow or ()), host=host, port=port)
        with listening(Inbox(inbox), settings) as open_port:
            out.print(f"Listening as {ae_title} at {host} port {open_port}. Ctrl-C ends it.")
            stop.wait()
    out.print(f"Stopped. Then: bs-client check {inbox}", soft_wrap=True)


@app.command()
def deidentify(
    source: Annotated[Path, typer.Argument(help="Folder with scans; only read.", exists=True)],
    target: Annotated[Path, typer.Argument(help="Folder for the copies, outside the scans.")],
    labels: Annotated[Path | None, typer.Option(help="Labels CSV to copy as well.")] = None,
    private: Annotated[
        Path | None,
        typer.Option(help="Where salt and mapping stay. Default: beside the scans."),
    ] = None,
) -> None:
    """Copy the usable scans without identifiers, their views written in standard codes."""
    from bs_client.deidentify import deidentify_folder, meaning

    with _explained(), _bar() as bar:
        task = bar.add_task("studies", total=None)
        done = deidentify_folder(
            source,
            target,
            labels=labels,
            private=private,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    table = Table("files not copied", "code", "meaning")
    for code, files in sorted(done.not_copied.items()):
        table.add_row(str(files), code, meaning(code))
    if done.not_copied:
        out.print(table)
    out.print(f"{done.studies} studies in {done.files} files: {target}", soft_wrap=True)
    if done.labels is not None:
        withheld = f"{done.labels.withheld} texts withheld (dates, numbers, identifiers)"
        out.print(f"{done.labels.rows} labels copied, {withheld}.")
    out.print(f"Who is who stays here, and must not leave: {done.mapping}", soft_wrap=True)
    if not done.studies:
        raise typer.Exit(1)


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
