"""Other names for patients and UIDs: the same for the same salt, without a way back."""

from __future__ import annotations

import hmac
import uuid
from dataclasses import dataclass, field

PATIENT_DIGITS = 12  # of hexadecimal; two of a million patients share one with p = 0.002
UUID_BYTES = 16


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """Pseudonyms by HMAC-SHA-256 under a secret salt.

    salt : secret bytes; who has them can test a guessed identifier against a pseudonym.
    """

    salt: bytes = field(repr=False)

    def uid(self, original: str) -> str:
        """Give another UID, derived from a UUID (PS3.5 B.2); nothing for nothing."""
        if not original:
            return ""
        digest = self._digest("uid", original)[:UUID_BYTES]
        return f"2.25.{uuid.UUID(bytes=digest, version=4).int}"

    def patient_id(self, original: str) -> str:
        """Give another Patient ID, such as ``P3f09a1c2b4d5``; nothing for nothing."""
        if not original:
            return ""
        return f"P{self._digest('patient', original).hex()[:PATIENT_DIGITS]}"

    def _digest(self, kind: str, original: str) -> bytes:
        return hmac.digest(self.salt, f"{kind}\x1f{original}".encode(), "sha256")
