"""Finding the sites' program: an entry point, for the coordinator's may not import it."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import cast

from bs_common.errors import ConfigError
from bs_common.simulation import ENTRY_POINTS, OPEN_SITES, OpenSites


def find_sites() -> OpenSites:
    """Give the function that opens the sites; raises ConfigError if bs-client is not installed."""
    found = entry_points(group=ENTRY_POINTS, name=OPEN_SITES)
    if not found:
        raise ConfigError(
            "bs-client is not installed in this environment; a simulation runs its sites.",
            remedy="Run deploy/install, or: uv sync --locked. A coordinator of a real study needs "
            "no bs-client and should have none.",
        )
    return cast(OpenSites, next(iter(found)).load())
