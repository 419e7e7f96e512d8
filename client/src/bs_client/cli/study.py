"""Commands of taking part in a study: join, run."""

from __future__ import annotations

import logging
import signal
import threading
from pathlib import Path
from typing import Annotated

import typer

from bs_client.cli.shell import HERE, SiteArgument, explained, out
from bs_client.config import DataSettings, Policy, SiteFolder


def join(
    invitation: Annotated[Path, typer.Argument(help="The file that the coordinator sent.")],
    data: Annotated[Path, typer.Option(help="Folder with the DICOM files.")],
    labels: Annotated[Path, typer.Option(help="Labels CSV.")],
    site: Annotated[Path, typer.Option(help="Folder to make for this study.")] = HERE,
    min_cell: Annotated[int, typer.Option(help="Smallest count that leaves.", min=1, max=1000)] = 5,
) -> None:
    """Join a study: make a key here, pin the coordinator, write the file to hand back."""
    from bs_client.federation.join import join_study

    with explained():
        joined = join_study(
            SiteFolder(site),
            invitation,
            data=DataSettings(scans=data.resolve(), labels=labels.resolve()),
            policy=Policy(min_cell=min_cell),
        )
    agreed = joined.invitation
    out.print(f"Joined '{agreed.settings.name}' as {agreed.site}, role {agreed.role}.")
    out.print(f"Key fingerprint (compare by telephone): {joined.key_sha256}", soft_wrap=True)
    out.print(f"Send {joined.enrolment} to the coordinator.", soft_wrap=True)
    out.print(f"Then: bs-client run {site}", soft_wrap=True)


def run(site: SiteArgument = HERE) -> None:
    """Connect to the coordinator, reconnect when needed, and work until the study ends."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with explained():
        from bs_client.federation.session import take_part
        from bs_client.federation.work import open_site

        folder = SiteFolder(site)
        finished = take_part(folder, open_site(folder), stop)
    out.print("The study is over." if finished else "Stopped. To go on: bs-client run")
