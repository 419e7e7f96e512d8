"""The command that shows a whole study on one machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bs_server.cli.shell import explained, out
from bs_server.demo import DemoOptions, run_demo


def demo(
    folder: Annotated[Path, typer.Option(help="Where everything of the demo goes.")] = Path("demo"),
    rounds: Annotated[int, typer.Option(help="Rounds of training.", min=1)] = 10,
    seed: Annotated[int, typer.Option(help="Seed of phantoms and study.", min=0)] = 2,
) -> None:
    """Run the whole study on this machine: synthetic scans, four processes, TLS on loopback."""
    with explained():
        result = run_demo(DemoOptions(folder=folder, rounds=rounds, seed=seed), out)
    out.print(f"\nReport:      {result.report}", soft_wrap=True)
    out.print(f"Namur's own: {result.maps}", soft_wrap=True)
    out.print(f"Numbers:     {result.summary}", soft_wrap=True)
