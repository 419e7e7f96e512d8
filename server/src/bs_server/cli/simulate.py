"""The command that runs a study and its comparators in one process."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bs_common.errors import ConfigError
from bs_common.lock import own_folder
from bs_server.cli.shell import explained, now, out
from bs_server.simulation.output import Written, write_results
from bs_server.simulation.phantoms import phantom_simulation
from bs_server.simulation.plan import SimulationFile, comparators, read_simulation
from bs_server.simulation.progress import SimulationProgress
from bs_server.simulation.run import Simulation
from bs_server.simulation.sites import find_sites


def simulate(
    file: Annotated[
        Path | None,
        typer.Argument(
            help="TOML: [study] as in study.toml; for each site [sites.NAME] with role, scans, "
            "labels; if wanted [compute] threads, backbone_file.",
            show_default=False,
        ),
    ] = None,
    phantoms: Annotated[
        bool, typer.Option("--phantoms", help="The demo's hospitals with synthetic scans.")
    ] = False,
    folder: Annotated[Path, typer.Option(help="Where everything goes.")] = Path("simulation"),
    seeds: Annotated[int, typer.Option(help="How many seeds, from the study's on.", min=1)] = 3,
) -> None:
    """Compare federated, local-only and centralised training where all scans may lie in one place.

    Killed and started again, it goes on where it was; more seeds add to those that are done.
    """
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    with explained():
        if phantoms == (file is not None):
            raise ConfigError(
                "Give either a simulation's file or --phantoms.", remedy="bs-server simulate --help"
            )
        with out.status("loading the sites' side"):
            find_sites()  # before anything is made
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with own_folder(folder, program="bs-server simulate"):
            scans = folder / "phantoms"
            plan = phantom_simulation(scans, out) if file is None else read_simulation(file)
            written = _run(plan, folder, seeds)
    out.print(f"\nPage:    {written.page}", soft_wrap=True)
    out.print(f"Table:   {written.csv}", soft_wrap=True)
    out.print(f"Numbers: {written.json}", soft_wrap=True)


def _run(plan: SimulationFile, folder: Path, seeds: int) -> Written:
    studies = list(comparators(plan.names("train")))
    rounds = seeds * len(studies) * (plan.study.rounds + 1)
    with SimulationProgress(Console(stderr=True), rounds=rounds) as progress:
        sites = find_sites()(
            plan.data(), plan.study, plan.machine(folder / "cache"), told=progress.steps
        )
        simulation = Simulation(folder, plan, sites, now, progress.told)
        result = simulation.compare(range(plan.study.seed, plan.study.seed + seeds))
    return write_results(folder, result.comparison, result.studies, remarks=sites.remarks)
