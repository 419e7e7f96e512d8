"""Who takes part: inviting a site, enrolling its key, ending its access."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bs_common.contract import CONTRACT_VERSION
from bs_common.errors import ConfigError, TrustError
from bs_common.joining import (
    Enrolment,
    Invitation,
    certificate_sha256,
    read_sent_document,
    write_document,
)
from bs_common.keys import fingerprint, read_public_pem
from bs_common.settings import Role
from bs_common.signing import release_public_pem
from bs_common.terms import terms_of
from bs_server.config import StudyFile, StudyFolder
from bs_server.trust.authority import Authority, read_or_make_release_key
from bs_server.trust.signed_register import Register, RegisteredSite, read_register, write_register

INVITATION_DAYS = 14  # long enough for a hospital's two offices, short enough to be forgotten


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
    if key in register.revoked:
        raise TrustError(
            f"This key of {register.revoked[key]} was revoked.",
            remedy=f"Let {enrolment.site} join in a new folder, which makes a new key.",
        )
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


def revoke(folder: StudyFolder, site: str) -> str | None:
    """End a site's access for good; give the fingerprint of its key, if it was enrolled.

    A running `bs-server run` notices within seconds. The key never counts again; the site can be
    invited anew and then enrols another one.
    """
    register = read_register(folder)
    known = register.sites.get(site)
    if known is None:
        raise ConfigError(
            f"{site} is not a site of this study.",
            remedy=f"Its sites: {', '.join(sorted(register.sites)) or 'none'}.",
        )
    key = None if known.public_key is None else fingerprint(known.key())
    others = {name: entry for name, entry in register.sites.items() if name != site}
    ended = dict(register.revoked) | ({} if key is None else {key: site})
    write_register(folder, register.model_copy(update={"sites": others, "revoked": ended}))
    return key


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
    write_register(folder, register.model_copy(update={"sites": sites}))
