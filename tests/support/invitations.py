"""Invitations as `bs-server invite` writes them, and answers to them, without a study's folder."""

from __future__ import annotations

import datetime
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from bs_common.contract import CONTRACT_VERSION
from bs_common.joining import Enrolment, Invitation, certificate_sha256, make_enrolment
from bs_common.settings import StudySettings
from bs_common.terms import terms_of
from bs_server.trust.authority import make_authority

NOW = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
EXPIRES = datetime.datetime(2126, 1, 2, tzinfo=datetime.UTC)


@cache
def ca_certificate(study: str = "test") -> str:
    """Give the certificate of an authority whose key is gone; the same for the same study."""
    with tempfile.TemporaryDirectory() as folder:
        authority = make_authority(Path(folder) / "a", study=study, names=["localhost"], now=NOW)
        return authority.ca_certificate.read_text()


def make_invitation(**changes: Any) -> Invitation:
    """Give an invitation that can be joined with; `changes` replace fields."""
    certificate = changes.get("ca_certificate", ca_certificate())
    fields: dict[str, Any] = {
        "address": "localhost:1",
        "ca_certificate": certificate,
        "ca_sha256": certificate_sha256(certificate),
        "site": "aachen",
        "role": "train",
        "settings": StudySettings(name="bones"),
        "contract_version": CONTRACT_VERSION,
        "expires": EXPIRES,
    }
    return Invitation(**fields | changes)


def answer_to(
    invitation: Invitation, key: ec.EllipticCurvePrivateKey, *, terms_sha256: str | None = None
) -> Enrolment:
    """Give a site's answer; by default it approves what the invitation says."""
    approved = terms_sha256 or terms_of(invitation).digest()
    return make_enrolment(invitation, key, terms_sha256=approved, approved=NOW)
