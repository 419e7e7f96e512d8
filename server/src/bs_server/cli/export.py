"""The command that gives a finished study to other programs and to authors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bs_server.cli.shell import HERE, StudyDir, explained, out
from bs_server.config import StudyFolder
from bs_server.export.files import export_study
from bs_server.export.rounds_log import write_tensorboard
from bs_server.results.summary import read_summary


def export(
    study_dir: StudyDir = HERE,
    tensorboard: Annotated[
        Path | None, typer.Option(help="Write the rounds as TensorBoard event files below it, too.")
    ] = None,
) -> None:
    """Write tables (Excel, CSV), metrics.json and the STARD and CLAIM drafts again."""
    with explained():
        folder = StudyFolder(study_dir)
        files = export_study(folder)
        run = tensorboard and write_tensorboard(read_summary(folder.summary), tensorboard)
    tables = sum(file.parent != folder.export for file in files)
    for file in files:
        if file.parent == folder.export:
            out.print(f"Written: {file}", soft_wrap=True)
    out.print(f"Written: {folder.export / 'tables'}, {tables} tables as CSV", soft_wrap=True)
    if run:
        out.print(f"Written: {run}; look with: tensorboard --logdir {run.parent}", soft_wrap=True)
