"""The command that runs a study."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bs_common.audit import AuditLog
from bs_common.files import check_private
from bs_common.sizes import message_limits
from bs_server.authority import Authority, check_modes
from bs_server.cli.shell import HERE, StudyDir, explained, now, out
from bs_server.config import StudyFolder
from bs_server.link import FleetLink
from bs_server.progress import LinesProgress, RichProgress
from bs_server.register import check_approved
from bs_server.release import release_model
from bs_server.report import render_report
from bs_server.signed_register import read_register
from bs_server.study import Progress, Study, run_study, say_goodbye
from bs_server.summary import write_summary
from bs_server.watch import Watch


def run(
    study_dir: StudyDir = HERE,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Serve the sites and run the study, or go on with it, until the report is written."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    progress: Progress = (
        LinesProgress(sys.stdout) if as_json else RichProgress(Console(stderr=True))
    )
    with explained():
        report = _run(StudyFolder(study_dir), progress)
    if not as_json:
        out.print(f"Report: {report}", soft_wrap=True)


def _run(folder: StudyFolder, progress: Progress) -> Path:
    file = folder.read()
    authority = Authority(folder.authority)
    check_private(folder.path)
    check_modes(authority)
    known = read_register(folder)
    sites = known.enrolled()
    check_approved(folder, known)
    link = FleetLink(
        host=file.server.host,
        port=file.server.port,
        certificate=authority.server_certificate,
        private_key=authority.server_key,
        sites=sites,
        limits=message_limits(file.study),
        audit=AuditLog(folder.audit, now),
    )
    study = Study(folder, file, known)
    with link, Watch(folder, link, now):
        progress("serving", port=link.port)
        summary = run_study(study, link, progress, clock=now)
        # The result is on disk before the sites are let go: one that is away cannot withhold it.
        write_summary(folder.summary, summary)
        folder.report.write_text(render_report(summary), encoding="utf-8")
        say_goodbye(study, link)
    progress("released", model=str(release_model(folder).bundle))
    progress("finished", report=str(folder.report), summary=str(folder.summary))
    return folder.report
