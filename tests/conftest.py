"""How a run goes: properties drawn alike every day, in two halves, and nothing is left behind.

A test that fails on one machine in twenty tells nothing about the commit that it judges. Run
`pytest --hypothesis-profile=explore` to look for new examples.
"""

import pytest
from hypothesis import settings

from support.halves import pytest_xdist_make_scheduler  # noqa: F401 - pytest-xdist calls it
from support.no_orphans import end_children_with_this_process

settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("explore", max_examples=1000, deadline=None)
settings.load_profile("same")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Let the processes of studies end when the tests do, also when these are killed."""
    if not hasattr(session.config, "workerinput"):
        end_children_with_this_process()
