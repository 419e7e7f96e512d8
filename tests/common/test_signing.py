from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bs_common.errors import TrustError
from bs_common.keys import make_private_key, public_pem
from bs_common.signing import (
    make_release_key,
    read_release_key,
    read_release_public_pem,
    release_fingerprint,
    release_public_pem,
    sign,
    verify,
)

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


def test_a_key_comes_back_from_disk_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    made = make_release_key(tmp_path / "release.key")

    read = read_release_key(tmp_path / "release.key")

    assert read.private_bytes_raw() == made.private_bytes_raw()
    assert stat.S_IMODE((tmp_path / "release.key").stat().st_mode) == 0o600


def test_a_private_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    make_release_key(tmp_path / "release.key")
    (tmp_path / "release.key").chmod(0o640)

    with pytest.raises(TrustError, match="other users"):
        read_release_key(tmp_path / "release.key")


def test_a_missing_private_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrustError, match="FileNotFoundError"):
        read_release_key(tmp_path / "release.key")


def test_a_site_key_cannot_sign_models(tmp_path: Path) -> None:
    site_key = make_private_key(tmp_path / "key.pem")

    with pytest.raises(TrustError, match="not an Ed25519"):
        read_release_key(tmp_path / "key.pem")
    with pytest.raises(TrustError, match="not an Ed25519"):
        read_release_public_pem(public_pem(site_key.public_key()))


def test_words_that_are_no_key_are_refused() -> None:
    with pytest.raises(TrustError, match="not a readable public key"):
        read_release_public_pem("-----BEGIN ü-----")


def test_the_public_key_survives_as_text() -> None:
    back = read_release_public_pem(release_public_pem(KEY.public_key()))

    assert back == KEY.public_key()
    assert release_fingerprint(back) == release_fingerprint(KEY.public_key())


def test_a_signature_fits_its_text_alone() -> None:
    signature = sign(b"manifest", KEY)

    verify(b"manifest", signature, KEY.public_key())
    with pytest.raises(TrustError, match="changed"):
        verify(b"manifesT", signature, KEY.public_key())


def test_a_signature_over_the_bare_text_does_not_count() -> None:
    with pytest.raises(TrustError):
        verify(b"manifest", KEY.sign(b"manifest"), KEY.public_key())


def test_another_key_s_signature_is_refused() -> None:
    other = Ed25519PrivateKey.generate()

    with pytest.raises(TrustError, match="another key"):
        verify(b"manifest", sign(b"manifest", other), KEY.public_key())
