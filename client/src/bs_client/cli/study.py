"""The command of taking part in a study: run."""

from __future__ import annotations

import logging
import signal
import threading

from bs_client.cli.shell import HERE, SiteArgument, explained, out
from bs_client.config import SiteFolder


def run(site: SiteArgument = HERE) -> None:
    """Connect to the coordinator, reconnect when needed, and work until the study ends."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with explained():
        from bs_client.federation.own_files import check_own_files
        from bs_client.federation.session import take_part
        from bs_client.federation.work import open_site

        folder = SiteFolder(site)
        check_own_files(folder)
        finished = take_part(folder, open_site(folder), stop)
    out.print("The study is over." if finished else "Stopped. To go on: bs-client run")
