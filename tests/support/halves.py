"""A run with two workers (pytest-xdist): one has the studies of real processes, one all else.

Studies stay one after another and share their folder's fixtures; the split and the order are the
same in every run. Without workers nothing changes.
"""

import pytest
from xdist.scheduler import LoadScopeScheduling

INTEGRATION = "tests/integration/"


class Halves(LoadScopeScheduling):  # type: ignore[misc]  # pytest-xdist has no types
    """Gives each worker one half and keeps the order in it."""

    def _split_scope(self, nodeid: str) -> str:
        return "integration" if nodeid.startswith(INTEGRATION) else "parts"


def pytest_xdist_make_scheduler(config: pytest.Config) -> Halves:
    """Replace pytest-xdist's own ways to hand out tests, whatever ``--dist`` says."""
    return Halves(config)
