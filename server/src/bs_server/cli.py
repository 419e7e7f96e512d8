"""Command line of the coordinator."""

from __future__ import annotations

import datetime
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

# Flower reads both when it is imported: it must not call home from inside a study.
os.environ["FLWR_TELEMETRY_ENABLED"] = "0"
os.environ["FLWR_DISABLE_UPDATE_CHECK"] = "1"

import typer
from pydantic import ValidationError
from rich.console import Console

from bs_common.errors import BoneScanError
from bs_common.joining import describe_faults
from bs_common.settings import Role, StudySettings
from bs_common.toml import write_toml
from bs_server import register
from bs_server.authority import Authority, make_authority
from bs_server.config import ServerSettings, StudyFile, StudyFolder
from bs_server.demo import DemoOptions, run_demo
from bs_server.link import FleetLink
from bs_server.progress import LinesProgress, RichProgress
from bs_server.release import release_model
from bs_server.report import render_report
from bs_server.study import Progress, Study, run_study, say_goodbye
from bs_server.summary import read_summary, write_summary

app = typer.Typer(
    help="Coordinator of a federated bone-scan study: no image ever comes here.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
out = Console(highlight=False, markup=False)  # a path may hold brackets
err = Console(stderr=True, highlight=False, markup=False)

StudyDir = Annotated[Path, typer.Argument(help="Folder of the study.", show_default=False)]
StudyOption = Annotated[Path, typer.Option("--study", help="Folder of the study.")]
HERE = Path()


@contextmanager
def _explained() -> Iterator[None]:
    """Print an intended error with its remedy and end with status 1."""
    try:
        yield
    except BoneScanError as error:
        err.print(f"Error: {error}", soft_wrap=True)
        if error.remedy:
            err.print(f"What to do: {error.remedy}", soft_wrap=True)
        raise typer.Exit(1) from error
    except ValidationError as error:
        err.print(f"Error: {describe_faults(error)}", soft_wrap=True)
        raise typer.Exit(1) from error


@app.command()
def init(
    study_dir: StudyDir,
    host: Annotated[str, typer.Option(help="Name or address that the sites dial.")],
    name: Annotated[str, typer.Option(help="Name of the study.")] = "bone-scan",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8443,
    san: Annotated[list[str], typer.Option(help="Further names in the certificate.")] = [],  # noqa: B006
) -> None:
    """Make a study: settings file, certificate authority, server certificate."""
    with _explained():
        folder = StudyFolder(study_dir)
        file = StudyFile(
            study=StudySettings(name=name, seed=int.from_bytes(os.urandom(4), "big")),
            server=ServerSettings(port=port, address=f"{host}:{port}"),
        )
        study_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.study_file.exists():
            out.print(f"{folder.study_file} is there; nothing was changed.", soft_wrap=True)
            return
        make_authority(folder.authority, study=name, names=[host, *san], now=_now())
        write_toml(folder.study_file, file)
    out.print(f"Study made. Look through {folder.study_file}, then:", soft_wrap=True)
    out.print(f"  bs-server invite SITE --role train|evaluate --study {study_dir}", soft_wrap=True)


@app.command()
def invite(
    site: Annotated[str, typer.Argument(help="Name of the site, such as aachen.")],
    role: Annotated[Role, typer.Option(help="What the site does in the study.")],
    study: StudyOption = HERE,
) -> None:
    """Write a site's invitation: one small file to send there."""
    with _explained():
        path = register.invite(StudyFolder(study), site, role)
    out.print(f"Send {path} to {site}. There:", soft_wrap=True)
    out.print(f"  bs-client join {path.name} --data DIR --labels CSV", soft_wrap=True)


@app.command()
def enrol(
    file: Annotated[Path, typer.Argument(help="The file that `bs-client join` made.")],
    study: StudyOption = HERE,
) -> None:
    """Admit a site's public key to the study."""
    with _explained():
        site, key = register.enrol(StudyFolder(study), file)
    out.print(f"{site} is enrolled with key {key}.", soft_wrap=True)
    out.print("Compare this fingerprint with the site by telephone. Then: bs-server run")


@app.command()
def run(
    study_dir: StudyDir = HERE,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Serve the sites and run the study, or go on with it, until the report is written."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    progress: Progress = (
        LinesProgress(sys.stdout) if as_json else RichProgress(Console(stderr=True))
    )
    with _explained():
        report = _run(StudyFolder(study_dir), progress)
    if not as_json:
        out.print(f"Report: {report}", soft_wrap=True)


def _run(folder: StudyFolder, progress: Progress) -> Path:
    file = folder.read()
    authority = Authority(folder.authority)
    known = register.read_register(folder)
    link = FleetLink(
        host=file.server.host,
        port=file.server.port,
        certificate=authority.server_certificate,
        private_key=authority.server_key,
        sites=known.enrolled(),
    )
    study = Study(folder, file, known)
    with link:
        progress("serving", port=link.port)
        summary = run_study(study, link, progress, clock=_now)
        # The result is on disk before the sites are let go: one that is away cannot withhold it.
        write_summary(folder.summary, summary)
        folder.report.write_text(render_report(summary), encoding="utf-8")
        say_goodbye(study, link)
    progress("released", model=str(release_model(folder).bundle))
    progress("finished", report=str(folder.report), summary=str(folder.summary))
    return folder.report


@app.command()
def report(study_dir: StudyDir = HERE) -> None:
    """Write the report again from the study's summary."""
    with _explained():
        folder = StudyFolder(study_dir)
        page = render_report(read_summary(folder.summary))
        folder.report.write_text(page, encoding="utf-8")
    out.print(f"Report: {folder.report}", soft_wrap=True)


@app.command()
def release(
    study_dir: StudyDir = HERE,
    file: Annotated[Path | None, typer.Option("--out", help="Where the model goes.")] = None,
) -> None:
    """Sign the chosen round's model and write it with its card, beside the summary."""
    with _explained():
        folder = StudyFolder(study_dir)
        released = release_model(folder, file)
    out.print(f"Model:       {released.bundle}", soft_wrap=True)
    for card in released.cards:
        out.print(f"Card:        {card}", soft_wrap=True)
    key = Authority(folder.authority).release_public
    out.print(f"Signed with: {key}, fingerprint {released.key_sha256}", soft_wrap=True)
    out.print(
        f"At a site:   bs-client predict {released.bundle.name} SCANS --out DIR --site SITE_DIR"
    )


@app.command()
def demo(
    folder: Annotated[Path, typer.Option(help="Where everything of the demo goes.")] = Path("demo"),
    rounds: Annotated[int, typer.Option(help="Rounds of training.", min=1)] = 10,
    seed: Annotated[int, typer.Option(help="Seed of phantoms and study.", min=0)] = 2,
) -> None:
    """Run the whole study on this machine: synthetic scans, four processes, TLS on loopback."""
    with _explained():
        result = run_demo(DemoOptions(folder=folder, rounds=rounds, seed=seed), out)
    out.print(f"\nReport:      {result.report}", soft_wrap=True)
    out.print(f"Namur's own: {result.maps}", soft_wrap=True)
    out.print(f"Numbers:     {result.summary}", soft_wrap=True)


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def main() -> None:
    """Run `bs-server`."""
    app()
