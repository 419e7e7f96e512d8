"""Joining a study: an offer looked at, terms approved, a key made here, one file to hand back."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from bs_client.config import Approval, Connection, DataSettings, Policy, SiteFile, SiteFolder
from bs_client.federation.policy import find_objections
from bs_common.contract import CONTRACT_VERSION
from bs_common.errors import ConfigError, TrustError
from bs_common.joining import (
    Invitation,
    make_enrolment,
    read_document,
    read_invitation,
    write_document,
)
from bs_common.keys import fingerprint, make_private_key, read_private_key
from bs_common.terms import Change, Terms, terms_of
from bs_common.toml import write_toml


@dataclass(frozen=True, slots=True)
class Given:
    """What the admin says when joining; None keeps what `site.toml` holds, or takes the default."""

    scans: Path | None = None
    labels: Path | None = None
    min_cell: int | None = None
    proxy: str | None = None
    release_local: bool | None = None
    external_models: int | None = None

    @property
    def policy(self) -> dict[str, int | bool]:
        """What is given of the site's policy, by its names in `site.toml`."""
        names = ("min_cell", "release_local", "external_models")
        values = {name: getattr(self, name) for name in names}
        return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Offer:
    """A sound invitation and what joining would write; nothing is written yet.

    changes : what differs from the terms that this site approved before; empty for a first time.
    """

    folder: SiteFolder
    invitation: Invitation
    file: SiteFile
    terms: Terms
    approval: Approval | None
    changes: tuple[Change, ...]

    @property
    def is_approved(self) -> bool:
        """Whether exactly these terms were approved here before."""
        return self.approval is not None and self.approval.terms_sha256 == self.terms.digest()


@dataclass(frozen=True, slots=True)
class Joined:
    """What joining made: the file to hand back and the fingerprint to read out with it."""

    invitation: Invitation
    enrolment: Path
    key_sha256: str


def read_offer(
    folder: SiteFolder, invitation_file: Path, given: Given, *, now: datetime.datetime
) -> Offer:
    """Read an invitation, and refuse what cannot be joined with.

    Raises ConfigError if the invitation, the scans or the labels cannot be used, if the folder
    belongs to another study or holds other settings than are given, or if the site's policy does
    not allow what the study asks.
    """
    invitation = read_invitation(
        invitation_file, contract_version=CONTRACT_VERSION, now=now.astimezone(datetime.UTC)
    )
    file = _site_file(folder, given)
    _check_data(file.data)
    _check_policy(folder, file.policy, invitation)
    offer = Offer(folder, invitation, file, terms_of(invitation), None, ())
    if not folder.invitation.exists():
        return offer
    held = folder.read_invitation()
    _check_same_study(folder, held, invitation)
    approval = read_document(folder.approval, Approval) if folder.approval.exists() else None
    return replace(offer, approval=approval, changes=terms_of(held).changes_to(offer.terms))


def check_approval(offer: Offer, terms_sha256: str) -> None:
    """Raise TrustError unless the digest is that of the offered terms."""
    if terms_sha256.strip().lower() != offer.terms.digest():
        raise TrustError(
            "The terms of this invitation are not those that were approved.",
            remedy="Read them (bs-client join without --approve shows them), and compare their "
            f"SHA-256 with the coordinator by telephone: {offer.terms.digest()}",
        )


def accept_offer(offer: Offer, *, terms_sha256: str, now: datetime.datetime) -> Joined:
    """Write the site's folder and its answer; safe to repeat, the key then stays the same.

    Parameters
    ----------
    terms_sha256 : what was approved; raises TrustError if it is not the offer's.
    now : kept as the time of approval, unless the same terms were approved before.
    """
    check_approval(offer, terms_sha256)
    folder, invitation = offer.folder, offer.invitation
    folder.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = read_private_key(folder.key) if folder.key.exists() else make_private_key(folder.key)
    approval = offer.approval
    if approval is None or not offer.is_approved:
        approval = Approval(terms_sha256=offer.terms.digest(), approved=now)
    if not folder.site_file.exists():
        write_toml(folder.site_file, offer.file)
    write_document(folder.invitation, invitation)
    write_document(folder.approval, approval)
    enrolment = folder.path / f"{invitation.site}.enrol"
    answer = make_enrolment(
        invitation, key, terms_sha256=approval.terms_sha256, approved=approval.approved
    )
    write_document(enrolment, answer)
    return Joined(invitation, enrolment, fingerprint(key.public_key()))


def read_approved(folder: SiteFolder) -> tuple[Invitation, Approval]:
    """Read what this site joined and approved.

    Raises TrustError if the invitation in the folder is not the one that was approved.
    """
    invitation, approval = folder.read_invitation(), folder.read_approval()
    if terms_of(invitation).digest() != approval.terms_sha256:
        raise TrustError(
            f"{folder.invitation}: these terms were not approved here.",
            remedy="Join again with the coordinator's invitation: bs-client join INVITATION "
            f"--site {folder.path}",
        )
    return invitation, approval


def _site_file(folder: SiteFolder, given: Given) -> SiteFile:
    """Give what `site.toml` holds, or will hold."""
    if folder.site_file.exists():
        held = folder.read()
        _check_same(folder, held, given)
        return held
    if given.scans is None or given.labels is None:
        raise ConfigError(
            f"{folder.path} has not joined yet: scans and labels are needed.",
            remedy="bs-client join INVITATION --data DIR --labels CSV --site SITE_DIR",
        )
    return SiteFile(
        data=DataSettings(scans=given.scans, labels=given.labels),
        policy=Policy.model_validate(given.policy),
        connection=_connection(given.proxy),
    )


def _connection(proxy: str | None) -> Connection:
    try:
        return Connection(proxy=proxy)
    except ValidationError as error:
        raise ConfigError(
            "--proxy: not the address of a proxy.", remedy="Give http://HOST:PORT, or: direct"
        ) from error


def _check_same(folder: SiteFolder, held: SiteFile, given: Given) -> None:
    pairs = (
        (given.scans, held.data.scans),
        (given.labels, held.data.labels),
        (given.proxy, held.connection.proxy),
        *((value, getattr(held.policy, name)) for name, value in given.policy.items()),
    )
    if any(asked is not None and asked != kept for asked, kept in pairs):
        raise ConfigError(
            f"{folder.site_file} holds other data, another policy or another proxy than given.",
            remedy="Edit that file, or leave out --data, --labels, --min-cell, --release-local, "
            "--external-models and --proxy.",
        )


def _check_data(data: DataSettings) -> None:
    if not data.scans.is_dir():
        raise ConfigError(
            f"{data.scans}: not a folder.", remedy="Give the folder with the DICOM files: --data"
        )
    if not data.labels.is_file():
        raise ConfigError(f"{data.labels}: not a file.", remedy="Give the labels CSV: --labels")


def _check_policy(folder: SiteFolder, policy: Policy, invitation: Invitation) -> None:
    objections = find_objections(policy, invitation.settings, invitation.role)
    if objections:
        said = "; ".join(f"{objection.says} ({objection.code})" for objection in objections)
        raise ConfigError(
            f"This site's policy does not allow what the study asks: {said}.",
            remedy=f"Tell the coordinator; or, if the site may, change [policy] in "
            f"{folder.site_file}.",
        )


def _check_same_study(folder: SiteFolder, held: Invitation, offered: Invitation) -> None:
    if (held.site, held.settings.name) != (offered.site, offered.settings.name):
        raise ConfigError(
            f"{folder.path} belongs to {held.site} in the study '{held.settings.name}'.",
            remedy="Join this study in a folder of its own: --site DIR",
        )
