"""A party's own key: made where it is used, mode 0600, known to others by its fingerprint."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from bs_common.errors import TrustError
from bs_common.files import write_atomic


def make_private_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """Make a P-256 key and write it as PKCS #8 PEM, readable by its owner alone."""
    key = ec.generate_private_key(ec.SECP256R1())
    write_private_pem(path, key)
    return key


def read_private_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """Read a key that `make_private_key` wrote; refuse one that others could have read."""
    key = read_private_pem(path)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TrustError(f"{path.name}: not an elliptic-curve key")
    return key


def write_private_pem(path: Path, key: PrivateKeyTypes) -> None:
    """Write a private key of any kind as PKCS #8 PEM with mode 0600."""
    write_atomic(path, private_pem(key), mode=0o600)


def private_pem(key: PrivateKeyTypes) -> bytes:
    """Give a private key of any kind as PKCS #8 PEM, for a file with mode 0600."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def read_private_pem(path: Path) -> PrivateKeyTypes:
    """Read a private key of any kind; refuse one that others could have read."""
    try:
        mode, pem = stat.S_IMODE(path.stat().st_mode), path.read_bytes()
    except OSError as error:
        raise TrustError(
            f"{path.name}: cannot be read ({type(error).__name__})",
            remedy=f"Check that {path} exists and belongs to this user.",
        ) from error
    if mode & 0o077:
        raise TrustError(
            f"{path.name}: other users can read this private key",
            remedy=f"chmod 600 {path}; if others had access to it, make a new key.",
        )
    try:
        return serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise TrustError(f"{path.name}: not a readable private key") from error


def public_pem(key: ec.EllipticCurvePublicKey) -> str:
    """Give a public key as PEM text."""
    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode("ascii")


def read_public_pem(pem: str) -> ec.EllipticCurvePublicKey:
    """Read a public key from PEM text."""
    try:
        key = serialization.load_pem_public_key(pem.encode("ascii", errors="replace"))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise TrustError("not a readable public key") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(
        key.curve, ec.SECP256R1 | ec.SECP384R1
    ):
        raise TrustError("not a P-256 or P-384 public key")
    return key


def fingerprint(key: ec.EllipticCurvePublicKey) -> str:
    """Give the SHA-256 of the public key's DER form, in hex."""
    der = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(der).hexdigest()
