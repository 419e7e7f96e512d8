"""What all commands share: where they print, how an intended error ends them, the progress bar."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bs_common.errors import BoneScanError

out = Console(highlight=False, markup=False)  # a path or a message may hold brackets
err = Console(stderr=True, highlight=False)

SiteArgument = Annotated[Path, typer.Argument(help="Folder of this site's part in the study.")]
HERE = Path()


@contextmanager
def explained() -> Iterator[None]:
    """Print an intended error with its remedy and end with status 1."""
    try:
        yield
    except BoneScanError as error:
        err.print(f"Error: {error}", markup=False, soft_wrap=True)
        if error.remedy:
            err.print(f"What to do: {error.remedy}", markup=False, soft_wrap=True)
        raise typer.Exit(1) from error


def progress_bar() -> Progress:
    """Give a bar that counts on a terminal and is silent in a log."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=err,
        disable=not err.is_terminal,
    )
