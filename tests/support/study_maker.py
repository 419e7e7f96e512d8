"""A real study on this machine: authority, keys and enrolled sites, made in a test's folder."""

from __future__ import annotations

import datetime
import socket
from dataclasses import dataclass
from pathlib import Path

from bs_client.config import DataSettings, Policy, SiteFile, SiteFolder
from bs_client.federation.join import Given, Joined, accept_offer, read_offer
from bs_common.joining import write_document
from bs_common.settings import Role, StudySettings
from bs_common.terms import terms_of
from bs_common.toml import write_toml
from bs_server.config import Deadlines, ServerSettings, StudyFile, StudyFolder
from bs_server.trust.authority import make_authority
from bs_server.trust.register import enrol, invite

HOST = "127.0.0.1"


@dataclass(frozen=True)
class MadeStudy:
    folder: StudyFolder
    port: int
    sites: dict[str, SiteFolder]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def join_study(
    folder: SiteFolder,
    invitation_file: Path,
    *,
    data: DataSettings,
    policy: Policy,
    now: datetime.datetime | None = None,
) -> Joined:
    """Join as `bs-client join --approve` does, without its preflight."""
    when = now or datetime.datetime.now(datetime.UTC)
    known = folder.site_file.exists()
    given = Given() if known else Given(scans=data.scans, labels=data.labels)
    offer = read_offer(folder, invitation_file, given, now=when)
    if not known:
        folder.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_toml(folder.site_file, SiteFile(data=data, policy=policy))
    return accept_offer(offer, terms_sha256=offer.terms.digest(), now=when)


def approve(folder: SiteFolder, **changes: object) -> None:
    """Let a site hold, as approved, its invitation with other words in it."""
    invitation = folder.read_invitation().model_copy(update=changes)
    terms = terms_of(invitation).digest()
    write_document(folder.invitation, invitation)
    write_document(
        folder.approval, folder.read_approval().model_copy(update={"terms_sha256": terms})
    )


def make_study(
    root: Path,
    settings: StudySettings,
    roles: dict[str, Role],
    *,
    data: dict[str, DataSettings] | None = None,
    dialled_port: int | None = None,
    policy: Policy | None = None,
) -> MadeStudy:
    """Make and enrol everything; `dialled_port` puts something between sites and coordinator.

    Without a policy the sites hide nothing.
    """
    port = free_port()
    folder = StudyFolder(root / "coordinator")
    folder.path.mkdir(parents=True)
    make_authority(
        folder.authority, study=settings.name, names=[HOST], now=datetime.datetime.now(datetime.UTC)
    )
    address = f"{HOST}:{dialled_port or port}"
    server = ServerSettings(host=HOST, port=port, address=address)
    deadlines = Deadlines(sites_s=120, describe_s=300, answer_s=300, external_s=300)
    write_toml(folder.study_file, StudyFile(study=settings, server=server, deadlines=deadlines))
    sites = {}
    for name, role in roles.items():
        site = SiteFolder(root / name)
        given = (data or {}).get(name) or _no_data(root / f"{name}-data")
        joined = join_study(
            site, invite(folder, name, role), data=given, policy=policy or Policy(min_cell=1)
        )
        enrol(folder, joined.enrolment)
        sites[name] = site
    return MadeStudy(folder, port, sites)


def _no_data(folder: Path) -> DataSettings:
    folder.mkdir()
    (folder / "labels.csv").write_text("study_uid,label\n")
    return DataSettings(scans=folder, labels=folder / "labels.csv")
