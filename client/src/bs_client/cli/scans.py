"""Commands about scans: check, receive, de-identify, make synthetic ones."""

from __future__ import annotations

import json
import logging
import signal
import threading
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.table import Table

from bs_client.cli.shell import HERE, err, explained, out, progress_bar

StyleName = Literal["aachen", "aalborg", "namur"]
PresetName = Literal["realistic", "conspicuous"]


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

    with progress_bar() as bar:
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


def cohort(
    labels: Annotated[Path, typer.Argument(help="Labels CSV; no scan is looked for.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Count a labels file alone: cohort table and splits; status 1 if training could not start."""
    from bs_client.check import labels_alone
    from bs_client.check.table import cohort_table

    with explained():
        found = labels_alone.read_labels_alone(labels)
    if as_json:
        print(json.dumps(labels_alone.as_json(found)))
    else:
        out.print(cohort_table(found.cohort))
        for line in (*labels_alone.flow_lines(found), *found.remarks):
            out.print(line, soft_wrap=True)
        for reason in found.reasons:
            err.print(f"Training could not start: {reason}", markup=False, soft_wrap=True)
    if found.reasons:
        raise typer.Exit(1)


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
    with explained():
        settings = ReceiverSettings(ae_title, tuple(allow or ()), host=host, port=port)
        with listening(Inbox(inbox), settings) as open_port:
            out.print(f"Listening as {ae_title} at {host} port {open_port}. Ctrl-C ends it.")
            stop.wait()
    out.print(f"Stopped. Then: bs-client check {inbox}", soft_wrap=True)


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

    with explained(), progress_bar() as bar:
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
    with explained(), progress_bar() as bar:
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
