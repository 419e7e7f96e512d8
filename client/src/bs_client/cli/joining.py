"""Commands of joining a study: join, and preflight alone."""

from __future__ import annotations

import datetime
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from bs_client.cli.shell import HERE, SiteArgument, err, explained, out, progress_bar
from bs_client.config import SiteFile, SiteFolder
from bs_common.errors import ConfigError
from bs_common.joining import Invitation

if TYPE_CHECKING:
    from bs_client.federation.join import Offer
    from bs_client.federation.preflight import Finding


def join(
    invitation: Annotated[Path, typer.Argument(help="The file that the coordinator sent.")],
    data: Annotated[Path | None, typer.Option(help="Folder with the DICOM files.")] = None,
    labels: Annotated[Path | None, typer.Option(help="Labels CSV.")] = None,
    site: Annotated[Path, typer.Option(help="Folder to make for this study.")] = HERE,
    min_cell: Annotated[
        int | None, typer.Option(help="Smallest count that leaves. Default: 5.", min=1, max=1000)
    ] = None,
    release_local: Annotated[
        bool | None,
        typer.Option(
            "--release-local",
            help="Let a model of this site's scans alone out, where a study compares.",
            show_default=False,
        ),
    ] = None,
    external_models: Annotated[
        int | None,
        typer.Option(help="Models that held-out scans judge. Default: 1.", min=1, max=100),
    ] = None,
    proxy: Annotated[
        str | None, typer.Option(help="http://HOST:PORT, or: direct. Default: HTTPS_PROXY.")
    ] = None,
    approve: Annotated[
        str | None, typer.Option(help="SHA-256 of the terms, approved before; asks nothing.")
    ] = None,
    preflight_only: Annotated[
        bool, typer.Option("--preflight-only", help="Try everything, join nothing.")
    ] = False,
) -> None:
    """Join a study: read its terms, try everything, make a key, write the file to hand back.

    Join again with a new invitation when the study changed: the difference is shown, the key stays.
    """
    from bs_client.federation.join import Given, accept_offer, check_approval, read_offer

    with explained():
        given = Given(
            scans=None if data is None else data.resolve(),
            labels=None if labels is None else labels.resolve(),
            min_cell=min_cell,
            proxy=proxy,
            release_local=release_local,
            external_models=external_models,
        )
        offer = read_offer(SiteFolder(site), invitation, given, now=_now())
        if preflight_only:
            _preflight(offer.folder, offer.file, offer.invitation)
            return
        _show_terms(offer)
        digest = approve if approve is not None else _ask(offer)
        check_approval(offer, digest)
        _preflight(offer.folder, offer.file, offer.invitation)
        joined = accept_offer(offer, terms_sha256=digest, now=_now())
    agreed = joined.invitation
    out.print(f"Joined '{agreed.settings.name}' as {agreed.site}, role {agreed.role}.")
    out.print(f"Key fingerprint (compare by telephone): {joined.key_sha256}", soft_wrap=True)
    out.print(f"Send {joined.enrolment} to the coordinator.", soft_wrap=True)
    out.print(f"Then: bs-client run {site}", soft_wrap=True)


def preflight(site: SiteArgument = HERE) -> None:
    """Try again everything that a site needs: coordinator, clock, disk, memory, scans."""
    with explained():
        folder = SiteFolder(site)
        _preflight(folder, folder.read(), folder.read_invitation())
    out.print(f"Nothing stands in the way. Next: bs-client run {site}", soft_wrap=True)


def _preflight(folder: SiteFolder, file: SiteFile, invitation: Invitation) -> None:
    """Show every finding; raises ConfigError if any failed."""
    from bs_client.check.crew import available_cores
    from bs_client.federation.preflight import Verdict, run_preflight

    with progress_bar() as bar:
        tasks = {}

        def show(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what)
            bar.update(tasks[what], completed=done, total=total)

        findings = list(
            run_preflight(
                folder,
                file,
                invitation,
                clock=_now,
                workers=available_cores(),
                progress=show,
            )
        )
    out.print(_findings_table(findings))
    failed = [finding for finding in findings if finding.verdict is Verdict.FAILED]
    if failed:
        raise ConfigError(
            "; ".join(f"{finding.name}: {finding.says}" for finding in failed),
            remedy=" ".join(finding.remedy for finding in failed),
        )


def _findings_table(findings: list[Finding]) -> Table:
    table = Table(title="Preflight", title_justify="left", title_style="bold", expand=True)
    table.add_column("what", no_wrap=True)
    table.add_column("result", no_wrap=True)
    table.add_column("found", ratio=1, overflow="fold")
    table.add_column("what to do", ratio=1, overflow="fold")
    styles = {"ok": "green", "warning": "yellow", "failed": "bold red"}
    for finding in findings:
        verdict = Text(finding.verdict, style=styles[finding.verdict])
        table.add_row(finding.name, verdict, Text(finding.says), Text(finding.remedy))
    return table


def _show_terms(offer: Offer) -> None:
    """Show the terms whole, or, where others were approved before, what is different now."""
    if offer.is_approved:
        out.print("These terms were approved here before; nothing has changed.")
        return
    if offer.changes:
        table = Table(title="What changed", title_justify="left", title_style="bold", expand=True)
        for heading in ("", "approved before", "now"):
            table.add_column(heading, ratio=1, overflow="fold")
        for change in offer.changes:
            cells = (change.heading, change.before or "(not there)", change.after or "(not there)")
            table.add_row(*(Text(cell) for cell in cells))
    else:
        table = Table(title="Terms of the study", title_justify="left", title_style="bold")
        table.add_column("", style="bold", ratio=1, min_width=27, overflow="fold")
        table.add_column("", ratio=2, overflow="fold")
        table.expand = True
        for clause in offer.terms.clauses:
            table.add_row(Text(clause.heading), Text(clause.text))
    out.print(table)
    out.print(f"SHA-256 of these terms: {offer.terms.digest()}", soft_wrap=True)


def _ask(offer: Offer) -> str:
    """Give the digest if somebody at the terminal approves it, or it was approved before."""
    digest = offer.terms.digest()
    if offer.is_approved:
        return digest
    if not _at_terminal():
        raise ConfigError(
            "These terms must be approved, and there is no terminal to ask at.",
            remedy=f"Read the terms above, then give the same command with: --approve {digest}",
        )
    err.print("Compare the SHA-256 with the coordinator by telephone.")
    if not typer.confirm("Does this site approve these terms?", default=False, err=True):
        raise ConfigError("The terms were not approved; nothing was written.")
    return digest


def _at_terminal() -> bool:
    return sys.stdin.isatty()


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
