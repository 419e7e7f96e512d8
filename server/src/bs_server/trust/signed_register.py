"""The register of sites as a plain file that only the study's authority can have written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import BaseModel, ConfigDict, Field

from bs_common.errors import ConfigError, TrustError
from bs_common.joining import Sha256, read_document, write_document
from bs_common.keys import read_private_pem, read_public_pem
from bs_common.settings import Name, Role
from bs_server.config import StudyFolder
from bs_server.trust.authority import Authority

# Signed together with the register, so that nothing else under this key can pass for one.
_PURPOSE = b"bone-scan site register 1\n"


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
    """All sites of the study by name.

    revoked : keys that were a site's and never count again, by fingerprint.
    serial : rises with every change, so that an older file is seen to be one.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    sites: Mapping[Name, RegisteredSite] = {}
    revoked: Mapping[Sha256, Name] = {}
    serial: Annotated[int, Field(ge=0)] = 0

    def names(self, role: Role) -> tuple[str, ...]:
        """Names of the sites with a role, sorted."""
        return tuple(sorted(name for name, site in self.sites.items() if site.role == role))

    def keys(self) -> dict[str, ec.EllipticCurvePublicKey]:
        """Public key of every site that is enrolled."""
        return {
            name: site.key()
            for name, site in sorted(self.sites.items())
            if site.public_key is not None
        }

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
        return self.keys()


class _SignedRegister(Register):
    signature: Annotated[str, Field(pattern=r"^[0-9a-f]{128}$")]


def read_register(folder: StudyFolder) -> Register:
    """Read the register; an absent one is empty.

    Raises TrustError if the file is not as the study's authority signed it.
    """
    if not folder.register.exists():
        return Register()
    signed = read_document(folder.register, _SignedRegister)
    register = Register(**signed.model_dump(exclude={"signature"}))
    try:
        key = _register_key(folder).public_key()
        key.verify(bytes.fromhex(signed.signature), _signed_bytes(register))
    except InvalidSignature as error:
        raise TrustError(
            f"{folder.register.name}: not as bs-server wrote it; the signature does not fit",
            remedy="Keep the file as evidence and find out who wrote to it; restore it from a "
            "backup, or move it away and invite and enrol the sites again.",
        ) from error
    return register


def write_register(folder: StudyFolder, register: Register) -> None:
    """Write the register, signed, with the next serial."""
    following = register.model_copy(update={"serial": register.serial + 1})
    signature = _register_key(folder).sign(_signed_bytes(following)).hex()
    signed = _SignedRegister(**following.model_dump(), signature=signature)
    write_document(folder.register, signed)


def _signed_bytes(register: Register) -> bytes:
    content = register.model_dump(mode="json")
    return _PURPOSE + json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


def _register_key(folder: StudyFolder) -> Ed25519PrivateKey:
    path: Path = Authority(folder.authority).register_key
    key = read_private_pem(path)
    if not isinstance(key, Ed25519PrivateKey):
        raise TrustError(f"{path.name}: not an Ed25519 key")
    return key
