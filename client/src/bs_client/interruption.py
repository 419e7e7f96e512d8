"""Ending long work early, at one of its steps, with nothing half done."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int], None]  # steps done, steps in all; may raise Interrupted


class Interrupted(BaseException):
    """Work was told to end before it was done.

    Not an `Exception`: nothing on the way may take it for a failure and answer with it.
    """


def unwatched(_done: int, _total: int) -> None:
    """Take progress that nobody looks at."""
