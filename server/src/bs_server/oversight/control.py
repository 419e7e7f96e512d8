"""The wish that a running study stops or pauses: by signal, or by a small file in its folder.

The file works across containers and machines that share the folder, where a process id means
nothing. The pause stays through a restart; a stop is for the process that runs when it is asked.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from threading import Event

from bs_common.errors import TrustError
from bs_server.storage.documents import Document, read_state, write_state

_LOOK_EVERY_S = 0.25


class Wish(StrEnum):
    """What shall happen to a study that runs."""

    RUN = "run"
    PAUSE = "pause"
    STOP = "stop"


class ControlFile(Document):
    """The wish on disk; `at` is UTC."""

    wish: Wish
    at: datetime.datetime


class StopRequested(Exception):
    """Somebody asked the coordinator to end; an orderly end, no error."""


def write_wish(path: Path, wish: Wish) -> None:
    """Put a wish where the running study looks for it."""
    write_state(path, ControlFile(version=1, wish=wish, at=datetime.datetime.now(datetime.UTC)))


def read_wish(path: Path) -> Wish:
    """Give the wish on disk; no file, or one that cannot be read, means to run."""
    try:
        return read_state(path, ControlFile).wish
    except TrustError:
        return Wish.RUN


class Control:
    """What the running study is wished to do now.

    Parameters
    ----------
    path : the control file.
    stop : set by a signal's handler; without one only the file can stop the study.
    """

    def __init__(
        self,
        path: Path,
        stop: Event | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = path
        self._stop = stop or Event()
        self._clock = clock
        self._looked = -float("inf")
        self._wish = Wish.RUN
        if read_wish(path) is Wish.STOP:
            write_wish(path, Wish.RUN)

    def check(self) -> None:
        """Raise StopRequested if the study shall end."""
        if self._stop.is_set() or self.wish is Wish.STOP:
            raise StopRequested

    @property
    def wish(self) -> Wish:
        """The wish on disk, looked up a few times a second at most."""
        if self._clock() - self._looked >= _LOOK_EVERY_S:
            self._looked = self._clock()
            self._wish = read_wish(self._path)
        return self._wish
