"""The command that asks for a finished reader study, months after the study if need be."""

from __future__ import annotations

import logging
import sys
from typing import Annotated

import typer
from rich.console import Console

from bs_common.contract import MessageType
from bs_common.errors import StudyStopped
from bs_common.files import check_private, write_atomic
from bs_common.lock import own_folder
from bs_common.messages import Request
from bs_server.cli.shell import HERE, StudyDir, explained, now, out
from bs_server.cli.study import open_link
from bs_server.config import StudyFile, StudyFolder
from bs_server.evaluation.readers import ask_for_readers, told_of_readers
from bs_server.federation.attendance import Attendance, Told
from bs_server.federation.exchange import Exchange, wait_for_all
from bs_server.federation.reasons import remedy_for
from bs_server.gateway.watch import Watch
from bs_server.progress import LinesProgress, RichProgress
from bs_server.report import render_report
from bs_server.results.summary import MISSING, Summary, read_summary, write_summary
from bs_server.trust.authority import Authority, check_modes
from bs_server.trust.register import check_approved
from bs_server.trust.signed_register import read_register

_GOODBYE_S = 30.0  # for a site that has just answered, or comes back meanwhile


def ask_readers(
    study_dir: StudyDir = HERE,
    wait_min: Annotated[
        float, typer.Option(help="Minutes to wait for the evaluate sites to connect.", min=0.01)
    ] = 60.0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Ask for the aggregates of a finished reader study, and put them into the report.

    For a study whose external evaluation is done; each evaluate site runs `bs-client run` again.
    A site answers once its readers have all finished. What came is kept, and asked for no more.
    """
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    told: Told = LinesProgress(sys.stdout) if as_json else RichProgress(Console(stderr=True))
    with explained():
        folder = StudyFolder(study_dir)
        file = folder.read()
        with own_folder(folder.path, program="bs-server ask-readers"):
            summary = _finished(folder)
            reasons = _ask(folder, file, summary, told, wait_s=60 * wait_min)
            _write(folder, summary)
        if reasons:
            named = ", ".join(f"{site} ({reason})" for site, reason in sorted(reasons.items()))
            raise StudyStopped(
                f"No reader study from {named}.",
                remedy=remedy_for(
                    reasons.values(), otherwise="Mend the cause there, then ask again."
                ),
            )
    if not as_json:
        out.print(f"Report: {folder.report}", soft_wrap=True)


def _finished(folder: StudyFolder) -> Summary:
    summary = read_summary(folder.summary)
    if summary.external is None or summary.best_round is None:
        raise StudyStopped(
            "The external evaluation has not come, or the study has no evaluate site.",
            remedy="Readers are compared on its scans: bs-server run comes first.",
        )
    return summary


def _ask(
    folder: StudyFolder, file: StudyFile, summary: Summary, told: Told, *, wait_s: float
) -> dict[str, str]:
    """Ask every evaluate site that has not answered; give why those did not that did not."""
    authority = Authority(folder.authority)
    check_private(folder.path)
    check_modes(authority)
    register = read_register(folder)
    check_approved(folder, register)
    sites = tuple(s for s in register.names("evaluate") if s not in told_of_readers(folder))
    if not sites:
        return {}
    link = open_link(folder, file, authority, register)
    with link, Watch(folder, link, now):
        told("serving", port=link.port)
        told("waiting", missing=list(sites))
        attendance = Attendance(link.online, dict.fromkeys(sites), told=told)
        exchange = Exchange(
            link,
            file.study,
            deadline_s=wait_s,
            attendance=attendance,
            pulse=attendance.look,
            told=told,
        )
        reasons = ask_for_readers(
            folder,
            exchange,
            sites,
            round_number=summary.best_round or 0,
            patience=wait_for_all(wait_s),
        )
        here = tuple(site for site in sites if reasons.get(site) not in MISSING)
        # Without attendance: one that answered is waited for, however briefly it was seen.
        goodbye = Exchange(link, file.study, deadline_s=_GOODBYE_S, told=told)
        goodbye.ask(Request(MessageType.FINISH, 0), here)  # lets `bs-client run` end there
    return reasons


def _write(folder: StudyFolder, summary: Summary) -> None:
    told = list(told_of_readers(folder).values())
    summary = summary.model_copy(update={"readers": told})
    write_summary(folder.summary, summary)
    write_atomic(folder.report, render_report(summary).encode())
