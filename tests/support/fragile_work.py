"""Work for other processes that may end the process that does it."""

from __future__ import annotations

import os


def square_or_die(number: int) -> int:
    """Give the square; a negative number ends the process without a word."""
    if number < 0:
        os._exit(1)
    return number * number
