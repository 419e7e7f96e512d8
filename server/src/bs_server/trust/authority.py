"""The study's own certificate authority, the server certificate, and the key of the released model.

Sites pin authority and release key at joining, so no public certificate is needed. All keys are
made here and never leave; profiles follow RFC 5280.
"""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from bs_common.certificates import days_left, describe_end
from bs_common.files import check_private, write_atomic
from bs_common.keys import make_private_key, private_pem, read_private_key, write_private_pem
from bs_common.signing import make_release_key, read_release_key, release_public_pem

_CA_DAYS = 3650
_SERVER_DAYS = 397  # the longest that TLS clients in general accept
_BACKDATED = datetime.timedelta(minutes=10)  # a site's clock may be a little behind


@dataclass(frozen=True, slots=True)
class Authority:
    """Paths of the authority's files."""

    folder: Path

    @property
    def ca_certificate(self) -> Path:
        """Certificate that the sites pin."""
        return self.folder / "ca.crt"

    @property
    def ca_key(self) -> Path:
        """Key that signs server certificates."""
        return self.folder / "ca.key"

    @property
    def server_certificate(self) -> Path:
        """Certificate shown to sites; its key is in the same file, so they are renewed as one."""
        return self.folder / "server.pem"

    @property
    def server_key(self) -> Path:
        """Key of the server certificate."""
        return self.server_certificate

    @property
    def register_key(self) -> Path:
        """Key that signs the register of sites."""
        return self.folder / "register.key"

    @property
    def release_key(self) -> Path:
        """Key that signs the released model."""
        return self.folder / "release.key"

    @property
    def release_public(self) -> Path:
        """Its public half, for those who use the model."""
        return self.folder / "release.pub"


def make_authority(
    folder: Path, *, study: str, names: Sequence[str], now: datetime.datetime
) -> Authority:
    """Make the authority and a server certificate for the given DNS names and IP addresses."""
    folder.mkdir(mode=0o700, exist_ok=True)
    authority = Authority(folder)
    ca_key = make_private_key(authority.ca_key)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{study} study authority")])
    certificate = (
        _builder(subject, subject, ca_key.public_key(), now, _CA_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()), critical=False
        )
        .sign(ca_key, hashes.SHA256())
    )
    _write(authority.ca_certificate, certificate)
    issue_server_certificate(authority, names=names, now=now)
    write_private_pem(authority.register_key, Ed25519PrivateKey.generate())
    read_or_make_release_key(authority)
    return authority


def check_modes(authority: Authority) -> None:
    """Raise TrustError if another user of this machine could read a key or replace a file."""
    check_private(authority.folder, "ca.key", "server.pem", "register.key", "release.key")


def read_or_make_release_key(authority: Authority) -> Ed25519PrivateKey:
    """Read the key that signs the released model; make it where a study has none yet."""
    if authority.release_key.exists():
        key = read_release_key(authority.release_key)
    else:
        key = make_release_key(authority.release_key)
    write_atomic(authority.release_public, release_public_pem(key.public_key()).encode())
    return key


def issue_server_certificate(
    authority: Authority, *, names: Sequence[str], now: datetime.datetime
) -> None:
    """Make a new server key and certificate, signed by the authority.

    Both are in one file, so that a power cut leaves the old pair or the new one.
    """
    ca_key = read_private_key(authority.ca_key)
    ca = x509.load_pem_x509_certificate(authority.ca_certificate.read_bytes())
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    certificate = (
        _builder(subject, ca.subject, key.public_key(), now, _SERVER_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False
        )
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()),
            critical=False,
        )
        .sign(ca_key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    write_atomic(authority.server_certificate, private_pem(key) + pem, mode=0o600)


def renew_server_certificate(
    authority: Authority, *, more_names: Sequence[str], now: datetime.datetime
) -> tuple[str, ...]:
    """Issue a new server certificate for the names of the old one and more; give all of them."""
    names = tuple(dict.fromkeys([*certificate_names(authority), *more_names]))
    issue_server_certificate(authority, names=names, now=now)
    return names


def certificate_names(authority: Authority) -> tuple[str, ...]:
    """Give the DNS names and IP addresses of the server certificate."""
    certificate = x509.load_pem_x509_certificate(authority.server_certificate.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return tuple(str(name.value) for name in names)


@dataclass(frozen=True, slots=True)
class Validity:
    """Whole days that the certificates still hold; negative once they are over."""

    server_days: int
    authority_days: int

    def warnings(self) -> list[str]:
        """Say what ends within 30 days, with what to do."""
        server = describe_end("The server certificate", self.server_days)
        authority = describe_end("The study's certificate authority", self.authority_days)
        remedies = (
            (server, "bs-server renew STUDY_DIR issues a new one; sites go on meanwhile."),
            (authority, "Make a new study; its sites join anew."),
        )
        return [f"{said}. {remedy}" for said, remedy in remedies if said is not None]


def read_validity(authority: Authority, now: datetime.datetime) -> Validity:
    """Give how long the server certificate and the authority's own still hold."""
    paths = (authority.server_certificate, authority.ca_certificate)
    return Validity(*(days_left(path.read_text(), now) for path in paths))


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    now: datetime.datetime,
    days: int,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + datetime.timedelta(days=days))
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _write(path: Path, certificate: x509.Certificate) -> None:
    write_atomic(path, certificate.public_bytes(serialization.Encoding.PEM))
