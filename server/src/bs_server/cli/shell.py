"""What all commands share: where they print, how an intended error ends them, the time."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console

from bs_common.errors import BoneScanError
from bs_common.joining import describe_faults

out = Console(highlight=False, markup=False)  # a path may hold brackets
err = Console(stderr=True, highlight=False, markup=False)

StudyDir = Annotated[Path, typer.Argument(help="Folder of the study.", show_default=False)]
StudyOption = Annotated[Path, typer.Option("--study", help="Folder of the study.")]
HERE = Path()


@contextmanager
def explained() -> Iterator[None]:
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


def now() -> datetime.datetime:
    """Give the time now, in UTC."""
    return datetime.datetime.now(datetime.UTC)
