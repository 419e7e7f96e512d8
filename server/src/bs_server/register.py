"""Who takes part: inviting a site, enrolling its key, ending its access."""

from __future__ import annotations

from pathlib import Path

from bs_common.errors import ConfigError, TrustError
from bs_common.joining import Enrolment, Invitation, read_document, write_document
from bs_common.keys import fingerprint, read_public_pem
from bs_common.settings import Role, StudySettings
from bs_common.signing import release_public_pem
from bs_server.authority import Authority, read_or_make_release_key
from bs_server.config import StudyFolder
from bs_server.signed_register import Register, RegisteredSite, read_register, write_register


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
    if key in register.revoked:
        raise TrustError(
            f"This key of {register.revoked[key]} was revoked.",
            remedy=f"Let {enrolment.site} join in a new folder, which makes a new key.",
        )
    if known.public_key is not None and fingerprint(known.key()) != key:
        raise TrustError(f"{enrolment.site} is enrolled with another key already.")
    _check_own_key(enrolment.site, key, register)
    site = RegisteredSite(role=known.role, public_key=enrolment.public_key)
    _put(folder, register, enrolment.site, site)
    return enrolment.site, key


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


def _check_same_settings(enrolment: Enrolment, settings: StudySettings) -> None:
    if enrolment.settings_sha256 != settings.digest():
        raise TrustError(
            f"{enrolment.site} agreed to other settings than study.toml holds now.",
            remedy="Invite the site again; it then joins with today's settings.",
        )


def _put(folder: StudyFolder, register: Register, name: str, site: RegisteredSite) -> None:
    sites = dict(sorted({**register.sites, name: site}.items()))
    write_register(folder, register.model_copy(update={"sites": sites}))
