"""Joining a study: a key made here, the authority pinned, and one small file to hand back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bs_client.config import Compute, DataSettings, Policy, SiteFile, SiteFolder
from bs_common.errors import ConfigError
from bs_common.joining import Enrolment, Invitation, read_document, write_document
from bs_common.keys import fingerprint, make_private_key, public_pem, read_private_key
from bs_common.toml import write_toml


@dataclass(frozen=True, slots=True)
class Joined:
    """What joining made: the file to hand back and the fingerprint to read out with it."""

    invitation: Invitation
    enrolment: Path
    key_sha256: str


def join_study(
    folder: SiteFolder, invitation_file: Path, *, data: DataSettings, policy: Policy
) -> Joined:
    """Make this site's folder for a study; safe to repeat, the key then stays the same.

    Raises ConfigError if the invitation, the scans or the labels cannot be read, or if the folder
    has a `site.toml` already that holds another data folder, labels file or policy.
    """
    invitation = read_document(invitation_file, Invitation)
    _check_data(data)
    if folder.site_file.exists():
        _check_same(folder, data, policy)
    folder.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = read_private_key(folder.key) if folder.key.exists() else make_private_key(folder.key)
    write_document(folder.invitation, invitation)
    if not folder.site_file.exists():
        write_toml(folder.site_file, SiteFile(data=data, policy=policy, compute=Compute()))
    enrolment = folder.path / f"{invitation.site}.enrol"
    write_document(
        enrolment,
        Enrolment(
            site=invitation.site,
            study=invitation.settings.name,
            settings_sha256=invitation.settings.digest(),
            public_key=public_pem(key.public_key()),
        ),
    )
    return Joined(invitation, enrolment, fingerprint(key.public_key()))


def _check_same(folder: SiteFolder, data: DataSettings, policy: Policy) -> None:
    held = folder.read()
    if (held.data, held.policy) != (data, policy):
        raise ConfigError(
            f"{folder.site_file} holds other data or another min_cell than are given now.",
            remedy="Edit that file, or join with what it holds: --data, --labels, --min-cell.",
        )


def _check_data(data: DataSettings) -> None:
    if not data.scans.is_dir():
        raise ConfigError(
            f"{data.scans}: not a folder.", remedy="Give the folder with the DICOM files: --data"
        )
    if not data.labels.is_file():
        raise ConfigError(f"{data.labels}: not a file.", remedy="Give the labels CSV: --labels")
