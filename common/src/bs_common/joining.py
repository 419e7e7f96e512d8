"""The two small files of joining: the coordinator's invitation and the site's answer."""

from __future__ import annotations

import datetime
import os
import stat
from pathlib import Path
from typing import Annotated, Self, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from bs_common.errors import ConfigError, TrustError
from bs_common.files import write_atomic
from bs_common.keys import public_pem, read_public_pem
from bs_common.settings import Name, Role, StudySettings

Document = TypeVar("Document", bound=BaseModel)
Address = Annotated[str, Field(pattern=r"^[A-Za-z0-9.\-:\[\]]+:\d{1,5}$")]  # host:port
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
# No control or formatting characters: a name must not paint over what the terminal shows.
Words = Annotated[str, Field(pattern=r"^\P{C}{1,100}$")]

MAX_BYTES = 64 * 1024  # of a file that somebody sent; a real one has about 3 KiB
_ASK_AGAIN = "Ask the coordinator for the invitation again: bs-server invite SITE --role ROLE"
# Signed together with the answer, so that no other text under this key can pass for one.
_PURPOSE = b"bone-scan enrolment 1\n"


class Contact(BaseModel):
    """Who coordinates a study, for the people who decide whether to join."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    name: Words = "not named in study.toml"
    contact: Words = "whoever sent the invitation"


class Invitation(BaseModel):
    """What a site needs to find and recognise a study; it admits nobody by itself.

    Fields with a default of None are absent in older files, which nobody can join with any more.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    address: Address
    ca_certificate: Annotated[str, Field(max_length=10_000)]  # PEM; pinned by the site
    ca_sha256: Sha256 | None = None  # of the certificate's DER form, as browsers and openssl show
    site: Name
    role: Role
    settings: StudySettings
    # PEM; the key that will sign the released model, pinned by the site.
    release_key: Annotated[str, Field(max_length=500)] | None = None
    coordinator: Contact = Contact()
    contract_version: Annotated[int, Field(ge=1)] | None = None
    expires: AwareDatetime | None = None

    @model_validator(mode="after")
    def _fingerprint_is_the_certificates(self) -> Self:
        if self.ca_sha256 is not None and certificate_sha256(self.ca_certificate) != self.ca_sha256:
            raise ValueError("ca_sha256 is not the fingerprint of ca_certificate")
        return self


class Enrolment(BaseModel):
    """What a site hands back: the public half of its key, and which terms it approved when.

    signature : hex, by the key itself over all other fields: whoever made the file has the key,
        and nothing in it was changed since.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    site: Name
    study: Name
    settings_sha256: Sha256
    terms_sha256: Sha256
    approved: AwareDatetime
    public_key: Annotated[str, Field(max_length=2000)]  # PEM
    signature: Annotated[str, Field(pattern=r"^[0-9a-f]{2,300}$")]

    def check_signature(self) -> None:
        """Raise TrustError unless the owner of the key wrote exactly this."""
        key = read_public_pem(self.public_key)
        try:
            key.verify(bytes.fromhex(self.signature), _signed(self), ec.ECDSA(hashes.SHA256()))
        except (InvalidSignature, ValueError) as error:
            raise TrustError(
                f"The enrolment of {self.site} was changed after it was written.",
                remedy="Ask the site for the file again, and compare its key's fingerprint.",
            ) from error


def make_enrolment(
    invitation: Invitation,
    key: ec.EllipticCurvePrivateKey,
    *,
    terms_sha256: str,
    approved: datetime.datetime,
) -> Enrolment:
    """Answer an invitation with the public half of a key, signed by the other half."""
    unsigned = Enrolment(
        site=invitation.site,
        study=invitation.settings.name,
        settings_sha256=invitation.settings.digest(),
        terms_sha256=terms_sha256,
        approved=approved,
        public_key=public_pem(key.public_key()),
        signature="00",
    )
    signature = key.sign(_signed(unsigned), ec.ECDSA(hashes.SHA256()))
    return unsigned.model_copy(update={"signature": signature.hex()})


def _signed(enrolment: Enrolment) -> bytes:
    return _PURPOSE + enrolment.model_dump_json(exclude={"signature"}).encode()


def certificate_sha256(pem: str) -> str:
    """Give the SHA-256 of a certificate's DER form, in hex; raises ValueError for other text."""
    certificate = x509.load_pem_x509_certificate(pem.encode("ascii"))
    return certificate.fingerprint(hashes.SHA256()).hex()


def read_invitation(path: Path, *, contract_version: int, now: datetime.datetime) -> Invitation:
    """Read an invitation that somebody sent, to join with it now.

    Raises ConfigError if the file is a link, too large, damaged, contradicts itself, is from an
    older release or for another contract, or has expired.
    """
    invitation = read_sent_document(path, Invitation)
    if None in (invitation.ca_sha256, invitation.expires, invitation.contract_version):
        raise ConfigError(
            f"{path.name}: an older release wrote this invitation, without fingerprint or expiry.",
            remedy=_ASK_AGAIN,
        )
    if invitation.contract_version != contract_version:
        raise ConfigError(
            f"{path.name}: contract version {invitation.contract_version}, "
            f"this program has {contract_version}.",
            remedy="Install the release of bs-client that fits the coordinator's bs-server.",
        )
    if invitation.expires is not None and invitation.expires <= now:
        raise ConfigError(
            f"{path.name}: expired at {invitation.expires:%Y-%m-%d %H:%M} UTC.",
            remedy=f"{_ASK_AGAIN}. Or set this machine's clock, which says {now:%Y-%m-%d %H:%M}.",
        )
    return invitation


def read_sent_document(path: Path, kind: type[Document]) -> Document:
    """Read a joining file that came from elsewhere: a plain file, no link, of at most 64 KiB."""
    if path.is_symlink():
        raise ConfigError(
            f"{path.name}: a link, not a file.", remedy="Give the file itself, as it was sent."
        )
    return parse_document(kind, read_small_text(path, limit=MAX_BYTES), path.name)


def write_document(path: Path, document: BaseModel) -> None:
    """Write a joining file as JSON, atomically."""
    write_atomic(path, (document.model_dump_json(indent=2) + "\n").encode())


def read_document(path: Path, kind: type[Document]) -> Document:
    """Read a joining file; every fault of it is named at once.

    Raises ConfigError if the file is missing, too large, not JSON or not of this kind.
    """
    return parse_document(kind, read_small_text(path), path.name)


def parse_document(kind: type[Document], text: str, where: str) -> Document:
    """Read one JSON text as a document of the given kind."""
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        raise ConfigError(
            f"{where}: not a valid {kind.__name__.lower()}: {describe_faults(error)}",
            remedy="Ask for the file again; it must arrive as it was written.",
        ) from error


def read_small_text(path: Path, *, limit: int = 1_000_000) -> str:
    """Read a text file of at most `limit` bytes."""
    try:
        # Not waiting: a named pipe would hold everything up until somebody writes to it.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ConfigError(f"{path.name}: not a plain file")
            content = file.read(limit + 1)
        if len(content) > limit:
            raise ConfigError(
                f"{path.name}: larger than {limit} bytes", remedy="Check that it is the right file."
            )
        return content.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path.name}: cannot be read ({type(error).__name__})",
            remedy=f"Check that {path} exists, is a text file and is readable for this user.",
        ) from error


def describe_faults(error: ValidationError) -> str:
    """Name every faulty entry of a document and what was expected there."""
    faults = [
        f"{'.'.join(str(part) for part in fault['loc']) or 'document'}: {fault['msg']}"
        for fault in error.errors(include_url=False, include_input=False)
    ]
    return "; ".join(faults)
