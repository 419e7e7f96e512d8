"""The simulation of the demo's three hospitals, whose scans are synthetic."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from bs_server.demo import SITES, DemoOptions, demo_settings, find_client, make_phantoms
from bs_server.simulation.plan import SimulationFile, SiteSection

_SEED = 2  # as the demo's
_ROUNDS = 10


def phantom_simulation(folder: Path, console: Console) -> SimulationFile:
    """Give the demo's settings and cohorts; scans that were made before are taken as they are."""
    roots = {site.name: folder.resolve() / site.name for site in SITES}
    if not all((root / "data/labels.csv").exists() for root in roots.values()):
        folder.mkdir(parents=True, exist_ok=True)
        make_phantoms(find_client(), _SEED, roots, console)
    settings = demo_settings(DemoOptions(folder=folder, rounds=_ROUNDS, seed=_SEED))
    return SimulationFile(
        study=settings.model_copy(update={"name": "phantoms"}),
        sites={
            site.name: SiteSection(
                role=site.role,
                scans=roots[site.name] / "data/scans",
                labels=roots[site.name] / "data/labels.csv",
            )
            for site in SITES
        },
    )
