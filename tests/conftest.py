"""How a run goes: properties drawn alike every day, in two halves, and nothing is left behind.

A test that fails on one machine in twenty tells nothing about the commit that it judges. Run
`pytest --hypothesis-profile=explore` to look for new examples.
"""

from pathlib import Path

import pytest
from hypothesis import settings

from support.no_orphans import end_children_with_this_process

INTEGRATION = Path(__file__).parent / "integration"

settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("explore", max_examples=1000, deadline=None)
settings.load_profile("same")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Let the processes of studies end when the tests do, also when these are killed."""
    if not hasattr(session.config, "workerinput"):
        end_children_with_this_process()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each of two workers its half, the same every time; without workers nothing changes.

    Studies of real processes stay one after another and share their fixtures. Tests of the other
    half work in one process each.
    """
    for item in items:
        half = "integration" if INTEGRATION in item.path.parents else "parts"
        item.add_marker(pytest.mark.xdist_group(half))
