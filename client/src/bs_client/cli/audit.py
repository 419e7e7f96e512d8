"""The command that shows and proves what passed a site's door: audit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from bs_client.cli.shell import HERE, SiteArgument, explained, out
from bs_client.config import SiteFolder


def audit(
    site: SiteArgument = HERE,
    export: Annotated[Path | None, typer.Option(help="Also write it: .csv or .json.")] = None,
    reconcile: Annotated[
        Path | None, typer.Option(help="The coordinator's audit.jsonl, to compare with.")
    ] = None,
    noted: Annotated[
        str | None, typer.Option(help="A head that was noted earlier: is it still there?")
    ] = None,
) -> None:
    """Verify the record of everything that passed this site's door, show it, prove it."""
    from bs_common import audit_table, reconciliation
    from bs_common.audit import find_noted, read_log

    with explained():
        folder = SiteFolder(site)
        chain = read_log(folder.audit)
        table = Table(*audit_table.SHOWN)
        for entry in chain.entries:
            table.add_row(*audit_table.row(entry))
        out.print(table)
        out.print(f"{len(chain.entries)} entries; the chain is whole.")
        if chain.torn_bytes:
            out.print(f"{chain.torn_bytes} bytes of an unfinished line follow; they left nothing.")
        out.print(f"Head, to be noted elsewhere: {chain.head}", soft_wrap=True)
        if noted is not None:
            out.print(f"The noted head is line {find_noted(chain, noted)}: all before is proven.")
        if export is not None:
            audit_table.export(chain, export)
            out.print(f"Written: {export}", soft_wrap=True)
        if reconcile is not None:
            other = read_log(reconcile)
            name = folder.read_invitation().site
            found = reconciliation.reconcile(chain.entries, other.entries, site=name)
            for line in reconciliation.describe(found):
                out.print(line, soft_wrap=True)
            if found.serious:
                raise typer.Exit(1)
