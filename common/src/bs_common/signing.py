"""The key that signs a study's released model: Ed25519 (RFC 8032), used for nothing else."""

from __future__ import annotations

import hashlib
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from bs_common.errors import TrustError
from bs_common.keys import read_private_pem, write_private_pem

SIGNATURE_BYTES = 64
# Signed together with the text, so that no other text under this key can pass for a manifest.
_PURPOSE = b"bone-scan model manifest 1\n"


def make_release_key(path: Path) -> Ed25519PrivateKey:
    """Make a key and write it as PKCS #8 PEM, readable by its owner alone."""
    key = Ed25519PrivateKey.generate()
    write_private_pem(path, key)
    return key


def read_release_key(path: Path) -> Ed25519PrivateKey:
    """Read a key that `make_release_key` wrote; refuse one that others could have read."""
    key = read_private_pem(path)
    if not isinstance(key, Ed25519PrivateKey):
        raise TrustError(f"{path.name}: not an Ed25519 key")
    return key


def release_public_pem(key: Ed25519PublicKey) -> str:
    """Give the public half as PEM text, to be pinned by those who use the model."""
    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode("ascii")


def read_release_public_pem(pem: str) -> Ed25519PublicKey:
    """Read a pinned public key from PEM text."""
    try:
        key = serialization.load_pem_public_key(pem.encode("ascii", errors="replace"))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise TrustError("not a readable public key") from error
    if not isinstance(key, Ed25519PublicKey):
        raise TrustError(
            "not an Ed25519 public key",
            remedy="Use the study's release.pub, not a site's or a server's key.",
        )
    return key


def release_fingerprint(key: Ed25519PublicKey) -> str:
    """Give the SHA-256 of the public key's DER form, in hex."""
    der = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(der).hexdigest()


def sign(manifest: bytes, key: Ed25519PrivateKey) -> bytes:
    """Sign a manifest; the same manifest and key give the same 64 bytes."""
    return key.sign(_PURPOSE + manifest)


def verify(manifest: bytes, signature: bytes, key: Ed25519PublicKey) -> None:
    """Raise TrustError unless `key`'s owner signed exactly this manifest."""
    try:
        key.verify(signature, _PURPOSE + manifest)
    except InvalidSignature as error:
        raise TrustError(
            "the model's manifest was changed, or was signed with another key than the pinned one "
            f"({release_fingerprint(key)[:16]}...)",
            remedy="Do not use this model. Fetch it again from the coordinator, and compare the "
            "key's fingerprint by telephone.",
        ) from error
