"""Commands of setting a study up and admitting its sites: init, invite, enrol."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from bs_common.joining import Contact, Invitation, read_document
from bs_common.profiles import Profile, compare_with_paper, profile_settings
from bs_common.settings import Role, StudySettings
from bs_common.terms import terms_of
from bs_common.toml import write_toml
from bs_server.cli.shell import HERE, StudyDir, StudyOption, explained, now, out
from bs_server.config import StudyFile, StudyFolder, server_settings
from bs_server.trust import register
from bs_server.trust.authority import make_authority


def init(
    study_dir: StudyDir,
    host: Annotated[str, typer.Option(help="Name or address that the sites dial.")],
    name: Annotated[str, typer.Option(help="Name of the study.")] = "bone-scan",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8443,
    san: Annotated[list[str], typer.Option(help="Further names in the certificate.")] = [],  # noqa: B006
    coordinator: Annotated[
        str, typer.Option(help="Who coordinates; the sites see it in the terms.")
    ] = Contact().name,
    contact: Annotated[str, typer.Option(help="How to reach the coordinator.")] = Contact().contact,
    profile: Annotated[
        Profile | None,
        typer.Option(help="paper: all of the paper's settings; fast: the head alone is trained."),
    ] = None,
) -> None:
    """Make a study: settings file, certificate authority, server certificate."""
    with explained():
        folder = StudyFolder(study_dir)
        host = host.strip("[]")
        file = StudyFile(
            study=_settings(profile, name, seed=int.from_bytes(os.urandom(4), "big")),
            server=server_settings(host, port),
            coordinator=Contact(name=coordinator, contact=contact),
        )
        study_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.study_file.exists():
            out.print(f"{folder.study_file} is there; nothing was changed.", soft_wrap=True)
            return
        make_authority(folder.authority, study=name, names=[host, *san], now=now())
        write_toml(folder.study_file, file)
    if profile is not None:
        out.print(_comparison(file.study))
    out.print(f"Study made. Look through {folder.study_file}, then:", soft_wrap=True)
    out.print(f"  bs-server invite SITE --role train|evaluate --study {study_dir}", soft_wrap=True)


def _settings(profile: Profile | None, name: str, *, seed: int) -> StudySettings:
    if profile is None:
        return StudySettings(name=name, seed=seed)
    return profile_settings(profile, name=name, seed=seed)


def _comparison(settings: StudySettings) -> Table:
    """Show every setting beside the paper's; a departure is marked."""
    table = Table("setting", "this study", "paper", "what the paper prints", "")
    for row in compare_with_paper(settings):
        mark = "" if row.study == row.paper else "differs"
        table.add_row(row.setting, row.study, row.paper, row.printed, mark)
    return table


def invite(
    site: Annotated[str, typer.Argument(help="Name of the site, such as aachen.")],
    role: Annotated[Role, typer.Option(help="What the site does in the study.")],
    study: StudyOption = HERE,
    days: Annotated[
        int, typer.Option(help="Days until the invitation expires.", min=1, max=365)
    ] = register.INVITATION_DAYS,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Write a site's invitation: one small file to send there; it admits nobody by itself."""
    with explained():
        path = register.invite(StudyFolder(study), site, role, days=days, clock=now)
        invitation = read_document(path, Invitation)
        terms = terms_of(invitation).digest()
    if as_json:
        facts = invitation.model_dump(mode="json", include={"site", "role", "expires", "ca_sha256"})
        print(json.dumps({"file": str(path), "terms_sha256": terms, **facts}))
        return
    out.print(
        f"1. Send {path} to {site}. It expires at {invitation.expires:%Y-%m-%d %H:%M} UTC.",
        soft_wrap=True,
    )
    out.print("2. There:", soft_wrap=True)
    out.print(f"  bs-client join {path.name} --data DIR --labels CSV --site SITE_DIR")
    out.print(f"3. Read out by telephone the SHA-256 of the terms: {terms}", soft_wrap=True)
    out.print(f"4. With the file {site}.enrol that comes back:", soft_wrap=True)
    out.print(f"  bs-server enrol {site}.enrol --study {study}", soft_wrap=True)


def enrol(
    file: Annotated[Path, typer.Argument(help="The file that `bs-client join` made.")],
    study: StudyOption = HERE,
) -> None:
    """Admit a site's public key to the study, if it approved the study's terms of today."""
    with explained():
        done = register.enrol(StudyFolder(study), file)
    out.print(f"{done.site} is enrolled with key {done.key_sha256}.", soft_wrap=True)
    out.print(
        f"It approved the terms {done.terms_sha256} at {done.approved:%Y-%m-%d %H:%M} UTC.",
        soft_wrap=True,
    )
    out.print("Compare this fingerprint with the site by telephone. Then: bs-server run")
