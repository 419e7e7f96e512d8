"""Whose signature a model must carry: a key given by hand, or the one pinned at joining."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from bs_client.config import SiteFolder
from bs_common.errors import ConfigError
from bs_common.joining import read_small_text
from bs_common.signing import read_release_public_pem


def pinned_key(*, key_file: Path | None, site: SiteFolder | None) -> Ed25519PublicKey:
    """Give the key that must have signed the model; the file stands before the site's key.

    Raises
    ------
    ConfigError
        Neither is given, or the site joined before studies had such keys.
    TrustError
        The file is not such a key.
    """
    if key_file is not None:
        return read_release_public_pem(read_small_text(key_file, limit=10_000))
    if site is None:
        raise ConfigError(
            "A model is used only if its signature fits a pinned key, and none was named.",
            remedy="Give --site SITE_DIR, where the key was pinned at joining, or --key FILE "
            "with the coordinator's release.pub.",
        )
    pem = site.read_invitation().release_key
    if pem is None:
        raise ConfigError(
            "This site's invitation is from before models were signed; it pins no key.",
            remedy="Ask the coordinator for release.pub, compare its fingerprint by telephone, "
            "and give --key release.pub.",
        )
    return read_release_public_pem(pem)
