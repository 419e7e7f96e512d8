"""Commands of a reader study: making it, serving its page, its links, its tables, its analysis."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from bs_client.cli.shell import err, explained, out, progress_bar

app = typer.Typer(
    help="Let physicians read a sample of the site's scans in a browser, and compare them.",
    no_args_is_help=True,
)

ScaleName = Literal["percent", "five_levels"]
Folder = Annotated[Path, typer.Argument(help="Folder of the reader study.")]
Address = Annotated[
    str, typer.Option(help="How readers reach the page; https:// for other machines.")
]
LOCAL = "http://127.0.0.1:8765"


@app.command()
def new(
    folder: Annotated[Path, typer.Argument(help="Folder to make; it stays at the site.")],
    source: Annotated[Path, typer.Argument(help="The site's folder, or one with DICOM files.")],
    labels: Annotated[
        Path | None, typer.Option(help="Labels CSV of a folder that is no site's.")
    ] = None,
    name: Annotated[str, typer.Option(help="Name of the study, on its pages.")] = "reader-study",
    readers: Annotated[int, typer.Option(help="Number of readers.", min=1, max=99)] = 6,
    cases: Annotated[str, typer.Option(help="Scans with + without metastasis.")] = "67+67",
    listed: Annotated[
        Path | None, typer.Option("--list", help="Study UIDs to read, one a line; no draw.")
    ] = None,
    exclude: Annotated[
        Path | None, typer.Option(help="Study UIDs that must not be drawn, one a line.")
    ] = None,
    practice: Annotated[int, typer.Option(help="Cases before, that do not count.", min=0)] = 4,
    seed: Annotated[int, typer.Option(help="Of the sample and the orders.", min=0)] = 0,
    scale: Annotated[ScaleName, typer.Option(help="0 to 100, or five levels.")] = "percent",
    model: Annotated[
        Path | None,
        typer.Option(help="Results of `predict`, or the site's private folder, to compare with."),
    ] = None,
    with_ai: Annotated[
        bool, typer.Option(help="Show the model's result after the unaided answer.")
    ] = False,
    sessions: Annotated[int, typer.Option(help="2 with --with-ai: a crossover.", min=1, max=2)] = 1,
    washout_days: Annotated[int, typer.Option(help="Between the sessions.", min=0, max=365)] = 28,
    time_limit_s: Annotated[
        int | None, typer.Option(help="A scan is hidden after so long. Default: never.", min=5)
    ] = None,
    idle_cutoff_s: Annotated[
        int, typer.Option(help="Without mouse and keyboard the clock stops.", min=10)
    ] = 60,
    allow_back: Annotated[
        bool, typer.Option(help="Let readers open the case before again; recorded.")
    ] = False,
    address: Address = LOCAL,
) -> None:
    """Draw the cases, copy their counts under codes, and print one link for each reader."""
    from bs_client.check.source import open_source
    from bs_client.reader.command import Wishes, make_reader_study

    with_count, without_count = _pair(cases)
    wishes = Wishes(
        name=name,
        seed=seed,
        readers=readers,
        cases_with=with_count,
        cases_without=without_count,
        practice=practice,
        scale=scale,
        sessions=sessions,
        washout_days=washout_days,
        with_ai=with_ai,
        time_limit_s=time_limit_s,
        idle_cutoff_s=idle_cutoff_s,
        allow_back=allow_back,
    )
    with explained(), progress_bar() as bar:
        tasks = {}

        def show(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what)
            bar.update(tasks[what], completed=done, total=total)

        protocol = make_reader_study(
            folder,
            open_source(source, labels=labels, cache=None),
            wishes,
            listed=listed,
            excluded=exclude,
            model=model,
            progress=show,
        )
    out.print(
        f"{protocol.cases_with} cases with and {protocol.cases_without} without metastasis, "
        f"{protocol.practice} for practice: {folder}",
        soft_wrap=True,
    )
    link(folder, reader=None, address=address)
    out.print(f"Then: bs-client reader-study serve {folder}", soft_wrap=True)


@app.command()
def link(
    folder: Folder,
    reader: Annotated[
        str | None, typer.Option(help="R1, R2, ... or lead. Default: everybody.")
    ] = None,
    address: Address = LOCAL,
) -> None:
    """Print new one-time links; older links and open visits of the same person end."""
    from bs_client.reader.command import renew_links

    with explained():
        links = renew_links(folder, reader, address=address)
    out.print("Each link works once. Hand it to its reader alone:")
    for holder, url in links.items():
        out.print(f"{holder:>5}  {url}", soft_wrap=True)


@app.command()
def serve(
    folder: Folder,
    address: Address = LOCAL,
    listen: Annotated[str, typer.Option(help="IP address to listen at.")] = "127.0.0.1",
    certificate: Annotated[
        Path | None, typer.Option(help="PEM certificate chain, for https://.")
    ] = None,
    key: Annotated[Path | None, typer.Option(help="PEM private key of the certificate.")] = None,
) -> None:
    """Serve the reading page until stopped; it can be stopped and started at any time."""
    from bs_client.reader.protocol import ReaderStudyFolder
    from bs_client.reader.serving import serve as serve_study

    err.print(f"Serving {address}; stop with Ctrl+C.", markup=False, soft_wrap=True)
    with explained():
        serve_study(
            ReaderStudyFolder(folder),
            address=address,
            listen=listen,
            certificate=certificate,
            key=key,
        )


@app.command()
def export(
    folder: Folder,
    unfinished: Annotated[
        bool, typer.Option(help="Leave out readers who have not finished, and open the study.")
    ] = False,
) -> None:
    """Write the Excel file and CSV tables of a finished study."""
    from bs_client.reader.export import WORKBOOK, export_study
    from bs_client.reader.open_study import open_study
    from bs_client.reader.protocol import ReaderStudyFolder
    from bs_client.reader.serving import now_ms

    with explained():
        study = open_study(ReaderStudyFolder(folder), now_ms)
        answers = export_study(study, unfinished=unfinished)
    out.print(f"{len(answers)} answers: {study.folder.export / WORKBOOK}", soft_wrap=True)
    out.print(f"Then: bs-client reader-study analyse {folder}", soft_wrap=True)


@app.command()
def analyse(
    folder: Folder,
    unfinished: Annotated[
        bool, typer.Option(help="Leave out readers who have not finished, and open the study.")
    ] = False,
    site: Annotated[
        Path | None, typer.Option(help="The site's folder, if it is no longer where it was.")
    ] = None,
) -> None:
    """Compare the readers with each other and with the model: a page, figures, one JSON file.

    A study of a site's scans is shown in the site's report as well, and its aggregates are kept
    there for the coordinator, who may ask for them once.
    """
    from bs_client.reader.open_study import open_study
    from bs_client.reader.protocol import ReaderStudyFolder
    from bs_client.reader.report import analyse_study
    from bs_client.reader.serving import now_ms
    from bs_client.reader.site_report import site_of

    with explained():
        study = open_study(ReaderStudyFolder(folder), now_ms)
        analysis = analyse_study(study, unfinished=unfinished)
        out.print(f"Open {study.folder.analysis / 'index.html'}", soft_wrap=True)
        owner = site_of(study.folder.site, site)
        if owner is not None:
            analysis.show_at(owner)
            out.print(f"Shown in {owner.private / 'index.html'} too.", soft_wrap=True)
            if analysis.finished == study.protocol.readers:
                out.print("The coordinator may ask: bs-client run, there bs-server ask-readers")


def _pair(text: str) -> tuple[int, int]:
    """Read '67+67' as scans with and without metastasis."""
    positive, _, negative = text.partition("+")
    if not (positive.isdecimal() and negative.isdecimal()):
        raise typer.BadParameter("such as 67+67: with + without", param_hint="--cases")
    return int(positive), int(negative)
