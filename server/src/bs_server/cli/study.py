"""The command that runs a study."""

from __future__ import annotations

import contextlib
import logging
import signal
import sys
from collections.abc import Iterator
from threading import Event
from typing import Annotated

import typer
from rich.console import Console

from bs_common.audit import AuditLog
from bs_common.errors import BoneScanError, StudyStopped
from bs_common.files import check_private, write_atomic
from bs_common.health import HealthService
from bs_common.lock import own_folder
from bs_common.sizes import message_limits
from bs_server.cli.shell import HERE, StudyDir, explained, now, out
from bs_server.config import StudyFile, StudyFolder
from bs_server.export.files import export_study
from bs_server.federation.attendance import Told
from bs_server.gateway.link import FleetLink
from bs_server.gateway.watch import Watch
from bs_server.oversight.control import Control, StopRequested
from bs_server.oversight.standing import StandingKeeper
from bs_server.oversight.status_page import StatusPage
from bs_server.progress import Both, LinesProgress, RichProgress
from bs_server.release import release_model
from bs_server.report import render_report
from bs_server.results.summary import write_summary
from bs_server.study import Study, StudyRun
from bs_server.trust.authority import Authority, check_modes
from bs_server.trust.register import check_approved
from bs_server.trust.signed_register import Register, read_register


def run(
    study_dir: StudyDir = HERE,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    status_port: Annotated[
        int | None,
        typer.Option(help="Show the standing as a page on 127.0.0.1.", min=0, max=65535),
    ] = None,
) -> None:
    """Serve the sites and run the study, or go on with it, until the report is written."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    screen: Told = LinesProgress(sys.stdout) if as_json else RichProgress(Console(stderr=True))
    with explained(), _stop_on_signals() as stop:
        folder = StudyFolder(study_dir)
        file = folder.read()
        with own_folder(folder.path, program="bs-server run"):
            ended = _run(folder, file, screen, stop=stop, status_port=status_port)
    if not as_json:
        said = f"Report: {folder.report}" if ended else "Stopped. To go on: bs-server run"
        out.print(said, soft_wrap=True)


def _run(
    folder: StudyFolder, file: StudyFile, screen: Told, *, stop: Event, status_port: int | None
) -> bool:
    """Run the study; False if it was asked to stop before its end."""
    authority = Authority(folder.authority)
    check_private(folder.path)
    check_modes(authority)
    known = read_register(folder)
    known.enrolled()
    check_approved(folder, known)
    keeper = StandingKeeper(
        folder,
        study=file.study.name,
        rounds=file.study.rounds,
        roles={name: site.role for name, site in known.sites.items()},
        clock=now,
    )
    told = Both(screen, keeper)
    link = open_link(folder, file, authority, known)
    keeper.beat()
    with contextlib.ExitStack() as stack:
        if file.health.address is not None:
            stack.enter_context(HealthService(file.health.address, keeper.is_well))
        if status_port is not None:
            page = stack.enter_context(StatusPage(folder, status_port, now))
            told("status_page", address=f"http://127.0.0.1:{page.port}/")
        stack.enter_context(link)
        stack.enter_context(Watch(folder, link, now))
        told("serving", port=link.port)
        study_run = StudyRun(
            Study(folder, file, known),
            link,
            told,
            clock=now,
            control=Control(folder.control, stop),
            beat=keeper.beat,
        )
        try:
            _finish(folder, study_run, told)
        except StopRequested:
            told("stopped", reason="asked to stop", remedy="bs-server run goes on from here.")
            return False
        except BoneScanError as error:
            told("stopped", reason=str(error), remedy=error.remedy)
            raise
    return True


def open_link(
    folder: StudyFolder, file: StudyFile, authority: Authority, register: Register
) -> FleetLink:
    """Give the link that serves the enrolled sites once its context is open."""
    return FleetLink(
        host=file.server.host,
        port=file.server.port,
        certificate=authority.server_certificate,
        private_key=authority.server_key,
        sites=register.enrolled(),
        limits=message_limits(file.study),
        audit=AuditLog(folder.audit, now),
    )


def _finish(folder: StudyFolder, study_run: StudyRun, told: Told) -> None:
    summary = study_run.summary()
    # The result is on disk before the sites are let go: one that is away cannot withhold it.
    write_summary(folder.summary, summary)
    write_atomic(folder.report, render_report(summary).encode())
    if summary.outcome == "waiting_for_external":
        raise StudyStopped(
            "The model is trained and chosen; the external evaluation has not come.",
            remedy="Run again when the evaluate site is back: only this step is left.",
        )
    told("released", model=str(release_model(folder).bundle))
    study_run.goodbye()
    export_study(folder)
    told("finished", report=str(folder.report), summary=str(folder.summary))


@contextlib.contextmanager
def _stop_on_signals() -> Iterator[Event]:
    """Give an event that SIGTERM and SIGINT set: the write in hand is finished, then the run ends.

    A second signal ends the process as if nothing were done about it.
    """
    stop = Event()
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.getsignal(number) for number in numbers}

    def end(number: int, _frame: object) -> None:
        stop.set()
        signal.signal(number, before[signal.Signals(number)])

    for number in numbers:
        signal.signal(number, end)
    try:
        yield stop
    finally:
        for number in numbers:
            signal.signal(number, before[number])
