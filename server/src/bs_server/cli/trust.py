"""Commands about whom the study trusts, and the proof of what passed: renew, revoke, audit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from bs_common import audit_table, reconciliation
from bs_common.audit import find_noted, read_log
from bs_common.errors import ConfigError
from bs_server.cli.shell import HERE, StudyDir, StudyOption, explained, now, out
from bs_server.config import StudyFolder
from bs_server.trust import register
from bs_server.trust.authority import Authority, read_validity, renew_server_certificate


def renew(
    study_dir: StudyDir = HERE,
    san: Annotated[list[str], typer.Option(help="Further names in the certificate.")] = [],  # noqa: B006
) -> None:
    """Issue a new server certificate; a running coordinator shows it within seconds."""
    with explained():
        authority = Authority(StudyFolder(study_dir).authority)
        names = renew_server_certificate(authority, more_names=san, now=now())
        validity = read_validity(authority, now())
    out.print(f"A new certificate for {', '.join(names)}: {validity.server_days} days.")
    out.print("A running bs-server shows it to new connections; the sites go on as they are.")


def revoke(
    site: Annotated[str, typer.Argument(help="Name of the site.")],
    study: StudyOption = HERE,
) -> None:
    """End a site's access at once, also while the study runs; its key never counts again."""
    with explained():
        key = register.revoke(StudyFolder(study), site)
    out.print(f"{site} has no access any more." + (f" Revoked key: {key}" if key else ""))
    out.print("A running bs-server notices within seconds. To let it back in with a new key:")
    out.print(f"  bs-server invite {site} --role train|evaluate --study {study}", soft_wrap=True)


def audit(
    study_dir: StudyDir = HERE,
    export: Annotated[Path | None, typer.Option(help="Also write it: .csv or .json.")] = None,
    reconcile: Annotated[
        Path | None, typer.Option(help="A site's audit.jsonl, to compare with.")
    ] = None,
    site: Annotated[str | None, typer.Option(help="Whose log it is.")] = None,
    noted: Annotated[
        str | None, typer.Option(help="A head that was noted earlier: is it still there?")
    ] = None,
) -> None:
    """Verify the record of every message and refusal at the coordinator, show it, prove it."""
    with explained():
        chain = read_log(StudyFolder(study_dir).audit)
        table = Table(*audit_table.SHOWN)
        for entry in chain.entries:
            table.add_row(*audit_table.row(entry))
        out.print(table)
        out.print(f"{len(chain.entries)} entries; the chain is whole.")
        if chain.torn_bytes:
            out.print(f"{chain.torn_bytes} bytes of an unfinished line follow; they sent nothing.")
        out.print(f"Head, to be noted elsewhere: {chain.head}", soft_wrap=True)
        if noted is not None:
            out.print(f"The noted head is line {find_noted(chain, noted)}: all before is proven.")
        if export is not None:
            audit_table.export(chain, export)
            out.print(f"Written: {export}", soft_wrap=True)
        if reconcile is not None:
            if site is None:
                raise ConfigError("Whose log is it?", remedy="Name the site: --site aachen")
            found = reconciliation.reconcile(read_log(reconcile).entries, chain.entries, site=site)
            for line in reconciliation.describe(found):
                out.print(line, soft_wrap=True)
            if found.serious:
                raise typer.Exit(1)
