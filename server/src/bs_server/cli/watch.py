"""Commands for a study that runs: status, stop, pause, resume."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from itertools import count
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from bs_common.errors import StudyStopped
from bs_common.lock import find_owner
from bs_server.cli.shell import HERE, StudyDir, explained, now, out
from bs_server.config import StudyFolder
from bs_server.oversight.control import Wish, write_wish
from bs_server.oversight.status import Status, duration, look, site_says

_STOP_S = 30.0
_POLL_S = 0.1
_WATCH_S = 1.0


def status(
    study_dir: StudyDir = HERE,
    watch: Annotated[bool, typer.Option(help="Keep showing it; Ctrl-C ends this only.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Show where a study stands: rounds, sites, refusals, certificate, disk; needs no server."""
    folder = StudyFolder(study_dir)
    with explained():
        if as_json:
            typer.echo(json.dumps(look(folder, now()).as_json()))
        elif watch:
            _watch(folder)
        else:
            out.print(_shown(look(folder, now())))


def stop(study_dir: StudyDir = HERE) -> None:
    """End a running study after the write in hand; the sites wait, and `run` goes on."""
    with explained():
        folder = StudyFolder(study_dir)
        folder.read()
        owner = find_owner(folder.path)
        if owner is None:
            out.print("The study does not run; nothing to stop.")
            return
        write_wish(folder.control, Wish.STOP)
        for _ in _until(_STOP_S):
            if find_owner(folder.path) != owner:
                out.print(f"Stopped. To go on: bs-server run {study_dir}", soft_wrap=True)
                return
        raise StudyStopped(
            f"Process {owner.pid} on {owner.host} has not ended within {_STOP_S:.0f} s.",
            remedy="It ends when the write in hand is done; if it never does, end it there. "
            "Nothing that is finished is lost.",
        )


def pause(study_dir: StudyDir = HERE) -> None:
    """Hold a study after the round in hand; the sites stay connected, also through a restart."""
    with explained():
        folder = StudyFolder(study_dir)
        folder.read()
        write_wish(folder.control, Wish.PAUSE)
    out.print(f"Paused after the round in hand. To go on: bs-server resume {study_dir}")


def resume(study_dir: StudyDir = HERE) -> None:
    """Let a paused study go on."""
    with explained():
        folder = StudyFolder(study_dir)
        folder.read()
        write_wish(folder.control, Wish.RUN)
        running = find_owner(folder.path) is not None
    out.print("It goes on." if running else f"Not running. To go on: bs-server run {study_dir}")


def _until(seconds: float) -> Iterator[int]:
    end = time.monotonic() + seconds
    for number in count():
        yield number
        if time.monotonic() > end:
            return
        time.sleep(_POLL_S)


def _watch(folder: StudyFolder) -> None:
    """Show the standing again and again until the study has ended or the reader has enough."""
    try:
        with Live(_shown(look(folder, now())), console=out, auto_refresh=False) as live:
            while True:  # ended by its reader: this command waits for nothing
                live.update(_shown(look(folder, now())), refresh=True)
                time.sleep(_WATCH_S)
    except KeyboardInterrupt:
        return


def _shown(seen: Status) -> RenderableType:
    standing = seen.standing
    parts: list[RenderableType] = [Text(f"{standing.study}: {seen.headline}", style="bold")]
    parts += [Text(f"! {text}", style="yellow") for text in seen.warnings]
    if standing.remedy:
        parts.append(Text(f"  What to do: {standing.remedy}"))
    parts.append(_sites(seen))
    if standing.finished_rounds:
        parts.append(_rounds(seen))
    for row in standing.refusals[-5:]:
        where = f"round {row.round}, {row.message}, attempt {row.attempt}"
        parts.append(Text(f"refused: {row.name} ({row.reason}) in {where}"))
    parts += [Text(note) for note in standing.notes]
    parts.append(Text(_machine(seen)))
    return Group(*parts)


def _sites(seen: Status) -> Table:
    doing = "now" if seen.runs else "last known"
    table = Table("site", "role", doing, "last seen (UTC)", "refused")
    for site in seen.standing.sites:
        last = site.last_seen.strftime("%Y-%m-%d %H:%M:%S") if site.last_seen else "-"
        table.add_row(site.name, site.role, site_says(site, now()), last, str(site.refusals))
    return table


def _rounds(seen: Status) -> Table:
    table = Table("round", "validation AUC", "loss", "time", "without")
    for row in seen.standing.finished_rounds:
        auc = "-" if row.pooled_auc is None else f"{row.pooled_auc:.3f}"
        loss = "-" if row.validation_loss is None else f"{row.validation_loss:.4f}"
        took = "-" if row.seconds is None else duration(row.seconds)
        without = ", ".join(f"{name} ({reason})" for name, reason in row.without.items())
        table.add_row(str(row.round), auc, loss, took, without)
    return table


def _machine(seen: Status) -> str:
    process = f"process {seen.owner.pid} on {seen.owner.host}" if seen.owner else "no process"
    days = seen.certificate_days
    certificate = "not readable" if days is None else f"{days} days"
    return (
        f"{process}; disk free: {seen.disk_free_bytes / 1e9:.1f} GB; "
        f"server certificate: {certificate}; written {seen.age_s:.0f} s ago"
    )
