"""A program in a process of its own, that stops dead inside a function, or whose clock jumps.

    [--at FILE:FUNCTION:NTH --mark PATH] [--clock PATH] MODULE WORDS...

``--at`` : when FUNCTION (its qualified name) of FILE (the end of its path) is entered for the
NTH time, write the mark and never return; whoever waits for the mark can then kill the process at
exactly this place. Nothing of the program itself is changed.
``--clock`` : seconds, read from the file each time, that Flower's clock is ahead.
"""

from __future__ import annotations

import argparse
import ctypes
import datetime
import importlib
import itertools
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType
from typing import Any


def stop_at(place: str, mark: Path) -> Callable[[FrameType, str, Any], None]:
    file, function, nth = place.rsplit(":", 2)
    counted = itertools.count(1)

    def watch(frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if event != "call" or code.co_qualname != function or not code.co_filename.endswith(file):
            return
        if next(counted) == int(nth):
            sys.setprofile(None)
            mark.write_text(str(os.getpid()))
            time.sleep(3600)

    return watch


def shift_clock(path: Path) -> None:
    """Replace Flower's clock in every module that has it."""
    from flwr.supercore import date

    original = date.now

    def shifted() -> datetime.datetime:
        ahead = float(path.read_text() or 0) if path.exists() else 0.0
        return original() + datetime.timedelta(seconds=ahead)

    for name, module in list(sys.modules.items()):
        if name.startswith("flwr.") and getattr(module, "now", None) is original:
            module.now = shifted  # type: ignore[attr-defined]


def run(words: Sequence[str], output: Connection) -> None:
    """Run a program in this process, which was forked for it; what it says goes to `output`."""
    os.setsid()
    # 1: PR_SET_PDEATHSIG. Nothing stays behind when the tests are ended from outside.
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    for descriptor in (1, 2):
        os.dup2(output.fileno(), descriptor)
    output.close()
    # The parent's streams were made for its own descriptors.
    sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    parser = argparse.ArgumentParser()
    parser.add_argument("--at")
    parser.add_argument("--mark", type=Path)
    parser.add_argument("--clock", type=Path)
    parser.add_argument("module")
    parser.add_argument("words", nargs=argparse.REMAINDER)
    given = parser.parse_args(words)
    program = importlib.import_module(given.module)
    sys.argv = [given.module, *given.words]
    if given.clock:
        shift_clock(given.clock)
    if given.at:
        watch = stop_at(given.at, given.mark)
        threading.setprofile(watch)
        sys.setprofile(watch)
    program.main()
