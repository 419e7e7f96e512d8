from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bs_client.config import SiteFolder
from bs_client.predict.pinned_key import pinned_key
from bs_common.errors import ConfigError, TrustError
from bs_common.joining import Invitation, write_document
from bs_common.settings import StudySettings
from bs_common.signing import release_public_pem

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32))).public_key()
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key()


def joined(folder: Path, release_key: str | None) -> SiteFolder:
    site = SiteFolder(folder)
    invitation = Invitation(
        address="localhost:8443",
        ca_certificate="-",
        site="aachen",
        role="train",
        settings=StudySettings(name="test"),
        release_key=release_key,
    )
    write_document(site.invitation, invitation)
    return site


def test_the_key_pinned_at_joining_is_used(tmp_path: Path) -> None:
    site = joined(tmp_path, release_public_pem(KEY))

    assert pinned_key(key_file=None, site=site) == KEY


def test_a_key_given_by_hand_stands_before_the_site_s(tmp_path: Path) -> None:
    site = joined(tmp_path, release_public_pem(KEY))
    (tmp_path / "release.pub").write_text(release_public_pem(OTHER))

    assert pinned_key(key_file=tmp_path / "release.pub", site=site) == OTHER


def test_without_any_key_no_model_is_used() -> None:
    with pytest.raises(ConfigError, match="none was named") as refused:
        pinned_key(key_file=None, site=None)

    assert "--site" in refused.value.remedy


def test_a_site_from_before_signed_models_is_told_how_to_get_the_key(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="pins no key") as refused:
        pinned_key(key_file=None, site=joined(tmp_path, None))

    assert "release.pub" in refused.value.remedy


def test_a_file_that_is_no_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "release.pub").write_text("no key")

    with pytest.raises(TrustError, match="not a readable public key"):
        pinned_key(key_file=tmp_path / "release.pub", site=None)
