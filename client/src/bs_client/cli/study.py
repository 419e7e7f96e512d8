"""Commands around taking part in a study: join, audit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

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


def audit(site: SiteArgument = HERE) -> None:
    """Verify the record of everything that left this site, and show it."""
    from bs_client.federation.audit import read_entries

    with explained():
        entries = read_entries(SiteFolder(site).audit)
    table = Table("time", "way", "message", "round", "bytes", "verdict")
    for entry in entries:
        columns = ("time", "direction", "message_type", "round_number", "size_bytes", "verdict")
        table.add_row(*(str(entry[column]) for column in columns))
    out.print(table)
    out.print(f"{len(entries)} entries; the chain is whole.")
