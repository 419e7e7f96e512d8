"""The register of sites: who was invited in which role, and whose key was enrolled."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import BaseModel, ConfigDict

from bs_common.errors import ConfigError, TrustError
from bs_common.joining import Enrolment, Invitation, read_document, write_document
from bs_common.keys import fingerprint, read_public_pem
from bs_common.settings import Name, Role, StudySettings
from bs_common.signing import release_public_pem
from bs_server.authority import Authority, read_or_make_release_key
from bs_server.config import StudyFolder


class RegisteredSite(BaseModel):
    """One site of the study; without a key it is invited but not admitted."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    role: Role
    public_key: str | None = None  # PEM

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


def invite(folder: StudyFolder, site: str, role: Role) -> Path:
    """Register a site in a role and write its invitation; safe to repeat with the same role."""
    register = read_register(folder)
    known = register.sites.get(site)
    if known is not None and known.role != role:
        raise ConfigError(f"{site} is already invited with the role {known.role}.")
    file = folder.read()
    authority = Authority(folder.authority)
    invitation = Invitation(
        address=file.server.address,
        ca_certificate=authority.ca_certificate.read_text(),
        site=site,
        role=role,
        settings=file.study,
        release_key=release_public_pem(read_or_make_release_key(authority).public_key()),
    )
    folder.invitations.mkdir(exist_ok=True)
    path = folder.invitations / f"{site}.invite"
    write_document(path, invitation)
    if known is None:
        _put(folder, register, site, RegisteredSite(role=role))
    return path


def enrol(folder: StudyFolder, path: Path) -> tuple[str, str]:
    """Admit the key in an enrolment file; give the site's name and the key's fingerprint."""
    enrolment = read_document(path, Enrolment)
    register = read_register(folder)
    known = register.sites.get(enrolment.site)
    if known is None:
        raise TrustError(
            f"{enrolment.site} was not invited to this study.",
            remedy=f"bs-server invite {enrolment.site} --role train|evaluate",
        )
    _check_same_settings(enrolment, folder.read().study)
    key = fingerprint(read_public_pem(enrolment.public_key))
    if known.public_key is not None and fingerprint(known.key()) != key:
        raise TrustError(f"{enrolment.site} is enrolled with another key already.")
    _check_own_key(enrolment.site, key, register)
    site = RegisteredSite(role=known.role, public_key=enrolment.public_key)
    _put(folder, register, enrolment.site, site)
    return enrolment.site, key


def _check_own_key(name: str, key: str, register: Register) -> None:
    """Refuse a key that speaks for another site: the key decides the role."""
    for other, site in register.sites.items():
        if other != name and site.public_key is not None and fingerprint(site.key()) == key:
            raise TrustError(
                f"The key of {name} is already enrolled for {other}.",
                remedy=f"Let {name} join in a folder of its own, which makes a key of its own.",
            )


def _check_same_settings(enrolment: Enrolment, settings: StudySettings) -> None:
    if enrolment.settings_sha256 != settings.digest():
        raise TrustError(
            f"{enrolment.site} agreed to other settings than study.toml holds now.",
            remedy="Invite the site again; it then joins with today's settings.",
        )


def _put(folder: StudyFolder, register: Register, name: str, site: RegisteredSite) -> None:
    sites = dict(sorted({**register.sites, name: site}.items()))
    write_document(folder.register, Register(sites=sites))
