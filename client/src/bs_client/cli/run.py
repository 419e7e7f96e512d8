"""The command that works for a study, and how it ends."""

from __future__ import annotations

import logging
import os
import signal
import threading
from contextlib import nullcontext

from bs_client.cli.shell import HERE, SiteArgument, explained, out
from bs_client.config import SiteFolder
from bs_client.interruption import Interrupted
from bs_common.health import HealthService
from bs_common.lock import own_folder

# Work ends at its next step, within a second mostly; a step of the full model on a slow machine
# may take longer. Whatever then is under way leaves no half-written file behind.
_PATIENCE_S = 8.0


def run(site: SiteArgument = HERE) -> None:
    """Connect to the coordinator, reconnect when needed, and work until the study ends."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    stop = threading.Event()
    _end_on_signals(stop)
    with explained():
        finished = _work(SiteFolder(site), stop)
    out.print("The study is over." if finished else "Stopped. To go on: bs-client run")


def _work(folder: SiteFolder, stop: threading.Event) -> bool:
    from bs_client.federation.activity import Activity

    activity = Activity(stop)
    file = folder.read()
    health = (
        HealthService(file.health.address, lambda: activity.connected)
        if file.health.address
        else nullcontext()
    )
    with own_folder(folder.path, program="bs-client run"), health:
        from bs_client.federation.own_files import check_own_files
        from bs_client.federation.session import take_part
        from bs_client.federation.work import open_site

        if stop.is_set():  # told so while all that was loading
            return False
        check_own_files(folder)
        try:
            return take_part(folder, open_site(folder, activity), stop)
        except Interrupted:
            return False


def _end_on_signals(stop: threading.Event) -> None:
    """Let SIGTERM and SIGINT end the work in order, and the process in any case."""

    def end(_number: int, _frame: object) -> None:
        if not stop.is_set():
            stop.set()
            last = threading.Timer(_PATIENCE_S, os._exit, (0,))
            last.daemon = True
            last.start()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
