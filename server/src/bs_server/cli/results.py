"""Commands about a finished study: report, release."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bs_server.cli.shell import HERE, StudyDir, explained, out
from bs_server.config import StudyFolder
from bs_server.release import release_model
from bs_server.report import render_report
from bs_server.results.summary import read_summary
from bs_server.trust.authority import Authority


def report(study_dir: StudyDir = HERE) -> None:
    """Write the report again from the study's summary."""
    with explained():
        folder = StudyFolder(study_dir)
        page = render_report(read_summary(folder.summary))
        folder.report.write_text(page, encoding="utf-8")
    out.print(f"Report: {folder.report}", soft_wrap=True)


def release(
    study_dir: StudyDir = HERE,
    file: Annotated[Path | None, typer.Option("--out", help="Where the model goes.")] = None,
) -> None:
    """Sign the chosen round's model and write it with its card, beside the summary."""
    with explained():
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
