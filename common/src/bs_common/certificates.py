"""How long a certificate still holds, so that nobody is surprised by the day it does not."""

from __future__ import annotations

import datetime

from cryptography import x509

from bs_common.errors import TrustError

WARN_DAYS = 30  # long enough for a coordinator's holiday


def days_left(certificate_pem: str, now: datetime.datetime) -> int:
    """Give the whole days until a certificate (PEM text) ends; negative once it is over.

    Raises TrustError if it is no certificate.
    """
    try:
        certificate = x509.load_pem_x509_certificate(certificate_pem.encode("ascii", "replace"))
    except ValueError as error:
        raise TrustError("not a readable certificate") from error
    return (certificate.not_valid_after_utc - now).days


def describe_end(what: str, days: int) -> str | None:
    """Say that a certificate ends soon, or give None while there is time."""
    if days >= WARN_DAYS:
        return None
    return f"{what} is over" if days < 0 else f"{what} ends in {days} days"
