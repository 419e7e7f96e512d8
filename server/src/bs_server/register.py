"""The register of sites: who was invited in which role, and whose key was enrolled."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import BaseModel, ConfigDict

from bs_common.contract import CONTRACT_VERSION
from bs_common.errors import ConfigError, TrustError
from bs_common.joining import (
    Enrolment,
    Invitation,
    Sha256,
    certificate_sha256,
    read_document,
    read_sent_document,
    write_document,
)
from bs_common.keys import fingerprint, read_public_pem
from bs_common.settings import Name, Role
from bs_common.signing import release_public_pem
from bs_common.terms import terms_of
from bs_server.authority import Authority, read_or_make_release_key
from bs_server.config import StudyFile, StudyFolder

INVITATION_DAYS = 14  # long enough for a hospital's two offices, short enough to be forgotten


class RegisteredSite(BaseModel):
    """One site of the study; without a key it is invited but not admitted.

    terms_sha256 : what the site approved when it joined.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    role: Role
    public_key: str | None = None  # PEM
    terms_sha256: Sha256 | None = None

    def key(self) -> ec.EllipticCurvePublicKey:
        """Public key of an enrolled site."""
        if self.public_key is None:
            raise ConfigError("The site is invited but not enrolled.")
        return read_public_pem(self.public_key)


class Register(BaseModel):
    """All sites of the study by name."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    sites: Mapping[Name, RegisteredSite] = {}

    def names(self, role: Role) -> tuple[str, ...]:
        """Names of the sites with a role, sorted."""
        return tuple(sorted(name for name, site in self.sites.items() if site.role == role))

    def enrolled(self) -> dict[str, ec.EllipticCurvePublicKey]:
        """Public key of every site, all of which must be enrolled, one at least to train."""
        if not self.names("train"):
            raise ConfigError(
                "No site is invited to train.",
                remedy="bs-server invite SITE --role train",
            )
        waiting = sorted(name for name, site in self.sites.items() if site.public_key is None)
        if waiting:
            raise ConfigError(
                f"Not enrolled yet: {', '.join(waiting)}.",
                remedy="bs-server enrol FILE with the file that `bs-client join` made there.",
            )
        return {name: site.key() for name, site in sorted(self.sites.items())}


def read_register(folder: StudyFolder) -> Register:
    """Read the register; an absent one is empty."""
    if not folder.register.exists():
        return Register()
    return read_document(folder.register, Register)


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A site that was admitted: its key's fingerprint, and what it approved when."""

    site: str
    key_sha256: str
    terms_sha256: str
    approved: datetime.datetime


def invite(
    folder: StudyFolder,
    site: str,
    role: Role,
    *,
    days: int = INVITATION_DAYS,
    clock: Callable[[], datetime.datetime] = lambda: datetime.datetime.now(datetime.UTC),
) -> Path:
    """Register a site in a role and write its invitation; safe to repeat with the same role."""
    register = read_register(folder)
    known = register.sites.get(site)
    if known is not None and known.role != role:
        raise ConfigError(
            f"{site} is already invited with the role {known.role}.",
            remedy=f"bs-server invite {site} --role {known.role}, or choose another name.",
        )
    invitation = _invitation(folder, folder.read(), site, role).model_copy(
        update={"expires": clock().replace(microsecond=0) + datetime.timedelta(days=days)}
    )
    folder.invitations.mkdir(exist_ok=True)
    path = folder.invitations / f"{site}.invite"
    write_document(path, invitation)
    if known is None:
        _put(folder, register, site, RegisteredSite(role=role))
    return path


def _invitation(folder: StudyFolder, file: StudyFile, site: str, role: Role) -> Invitation:
    """Give the invitation as today's study file has it, with no expiry yet."""
    authority = Authority(folder.authority)
    certificate = authority.ca_certificate.read_text()
    return Invitation(
        address=file.server.address,
        ca_certificate=certificate,
        ca_sha256=certificate_sha256(certificate),
        site=site,
        role=role,
        settings=file.study,
        release_key=release_public_pem(read_or_make_release_key(authority).public_key()),
        coordinator=file.coordinator,
        contract_version=CONTRACT_VERSION,
    )


def enrol(folder: StudyFolder, path: Path) -> Enrolled:
    """Admit the key in an enrolment file, if the site approved what the study file holds today."""
    enrolment = read_sent_document(path, Enrolment)
    enrolment.check_signature()
    register = read_register(folder)
    known = register.sites.get(enrolment.site)
    if known is None:
        raise TrustError(
            f"{enrolment.site} was not invited to this study.",
            remedy=f"bs-server invite {enrolment.site} --role train|evaluate",
        )
    _check_same_terms(enrolment, _invitation(folder, folder.read(), enrolment.site, known.role))
    key = fingerprint(read_public_pem(enrolment.public_key))
    if known.public_key is not None and fingerprint(known.key()) != key:
        raise TrustError(f"{enrolment.site} is enrolled with another key already.")
    _check_own_key(enrolment.site, key, register)
    site = RegisteredSite(
        role=known.role, public_key=enrolment.public_key, terms_sha256=enrolment.terms_sha256
    )
    _put(folder, register, enrolment.site, site)
    return Enrolled(enrolment.site, key, enrolment.terms_sha256, enrolment.approved)


def check_approved(folder: StudyFolder, register: Register) -> None:
    """Raise TrustError naming every site that approved other terms than the study has today."""
    file = folder.read()
    changed = [
        name
        for name, site in sorted(register.sites.items())
        if site.terms_sha256 != terms_of(_invitation(folder, file, name, site.role)).digest()
    ]
    if changed:
        raise TrustError(
            f"The study was changed after it was approved by: {', '.join(changed)}.",
            remedy="Take the change in study.toml back; or invite these sites again, let them "
            "join again, which shows them what changed, and enrol their answers.",
        )


def _check_own_key(name: str, key: str, register: Register) -> None:
    """Refuse a key that speaks for another site: the key decides the role."""
    for other, site in register.sites.items():
        if other != name and site.public_key is not None and fingerprint(site.key()) == key:
            raise TrustError(
                f"The key of {name} is already enrolled for {other}.",
                remedy=f"Let {name} join in a folder of its own, which makes a key of its own.",
            )


def _check_same_terms(enrolment: Enrolment, today: Invitation) -> None:
    again = (
        f"bs-server invite {enrolment.site} --role {today.role}; "
        "the site then joins again, sees what changed and approves it."
    )
    if enrolment.settings_sha256 != today.settings.digest():
        raise TrustError(
            f"{enrolment.site} agreed to other settings than study.toml holds now.",
            remedy=f"Invite the site again: {again}",
        )
    if enrolment.terms_sha256 != terms_of(today).digest():
        raise TrustError(
            f"{enrolment.site} approved other terms than this study has now: address, "
            "coordinator, certificate, role or software changed, or the invitation did on its way.",
            remedy=f"Compare the terms' SHA-256 by telephone, then invite again: {again}",
        )


def _put(folder: StudyFolder, register: Register, name: str, site: RegisteredSite) -> None:
    sites = dict(sorted({**register.sites, name: site}.items()))
    write_document(folder.register, Register(sites=sites))
