"""A party's own key."""

from __future__ import annotations

import base64
import hashlib
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from bs_common.errors import TrustError
from bs_common.keys import (
    fingerprint,
    make_private_key,
    public_pem,
    read_private_key,
    read_public_pem,
)


def pem_of(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def test_a_new_key_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    make_private_key(tmp_path / "key.pem")

    assert stat.S_IMODE((tmp_path / "key.pem").stat().st_mode) == 0o600


def test_a_key_is_read_as_it_was_made(tmp_path: Path) -> None:
    made = make_private_key(tmp_path / "key.pem")

    read = read_private_key(tmp_path / "key.pem")

    assert read.private_numbers() == made.private_numbers()


@pytest.mark.parametrize("mode", [0o640, 0o620, 0o604, 0o601, 0o777])
def test_a_key_that_others_can_reach_is_refused(tmp_path: Path, mode: int) -> None:
    make_private_key(tmp_path / "key.pem")
    (tmp_path / "key.pem").chmod(mode)

    with pytest.raises(TrustError, match="other users can read") as refused:
        read_private_key(tmp_path / "key.pem")
    assert "chmod 600" in refused.value.remedy


def test_an_absent_key_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(TrustError, match="cannot be read") as refused:
        read_private_key(tmp_path / "key.pem")
    assert str(tmp_path) in refused.value.remedy


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"nothing of the kind", "not a readable private key"),
        (pem_of(ec.generate_private_key(ec.SECP256R1()))[:60], "not a readable private key"),
        (pem_of(ed25519.Ed25519PrivateKey.generate()), "not an elliptic-curve key"),
    ],
)
def test_a_file_that_is_no_such_key_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(content)
    path.chmod(0o600)

    with pytest.raises(TrustError, match=said):
        read_private_key(path)


def test_the_message_never_holds_the_key(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(pem_of(ec.generate_private_key(ec.SECP256R1())).replace(b"M", b"N", 1))
    path.chmod(0o600)
    inner = path.read_text().splitlines()[1]

    with pytest.raises(TrustError) as refused:
        read_private_key(path)
    assert inner not in str(refused.value) + refused.value.remedy


def test_a_public_key_survives_its_text_form(tmp_path: Path) -> None:
    key = make_private_key(tmp_path / "key.pem").public_key()

    assert read_public_pem(public_pem(key)) == key


@pytest.mark.parametrize("curve", [ec.SECP256K1(), ec.SECP521R1()])
def test_a_public_key_on_another_curve_is_refused(curve: ec.EllipticCurve) -> None:
    pem = public_pem(ec.generate_private_key(curve).public_key())

    with pytest.raises(TrustError, match="not a P-256 or P-384"):
        read_public_pem(pem)


@pytest.mark.parametrize("text", ["", "-----BEGIN PUBLIC KEY-----", "Schl\u00fcssel", "\x00"])
def test_a_text_that_is_no_public_key_is_refused(text: str) -> None:
    with pytest.raises(TrustError, match="not a readable public key"):
        read_public_pem(text)


def test_a_private_key_in_place_of_a_public_one_is_refused() -> None:
    pem = pem_of(ec.generate_private_key(ec.SECP256R1())).decode()

    with pytest.raises(TrustError):
        read_public_pem(pem)


def test_the_fingerprint_is_the_digest_of_what_stands_between_the_pem_lines(tmp_path: Path) -> None:
    key = make_private_key(tmp_path / "key.pem").public_key()

    der = base64.b64decode("".join(public_pem(key).splitlines()[1:-1]))
    assert fingerprint(key) == hashlib.sha256(der).hexdigest()
