"""Who is admitted to the Fleet API: enrolled keys alone, and each of their signatures once.

Flower signs the time of a request and nothing else, so whoever saw a signature could use it again
within five minutes, with any body. Here a time that a key has signed counts once. TLS keeps
others from seeing a signature before it has counted.
"""

from __future__ import annotations

import datetime
import threading
import time
from base64 import b64decode
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

# Flower's window: a site's clock may be this far ahead, or behind with the request's own time.
AHEAD_S = 5.0
BEHIND_S = 305.0
# A site polls 25 times a second and sends a hundred objects a round; eight times that is a fault.
_PER_SECOND, _AT_ONCE = 300.0, 6000.0


@dataclass(frozen=True, slots=True)
class SignedHeaders:
    """Names of the headers in which a site signs: its key, the time, the signature of the time."""

    key: str
    time: str
    signature: str


class Refused(Exception):
    """A request that is not answered.

    status : HTTP status of the bare answer.
    reason : short code, for the audit log.
    """

    def __init__(self, status: int, reason: str, peer: str | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.peer = peer


@dataclass(slots=True)
class _Signer:
    site: str
    key: ec.EllipticCurvePublicKey
    seen: set[str] = field(default_factory=set)
    order: deque[tuple[float, str]] = field(default_factory=deque)
    tokens: float = _AT_ONCE
    refilled: float = 0.0


class Admission:
    """The keys that may speak now; safe to use from several threads.

    Parameters
    ----------
    headers : where a site signs.
    clock : seconds since the epoch, as sites sign them.
    """

    def __init__(self, headers: SignedHeaders, clock: Callable[[], float] = time.time) -> None:
        self._headers = headers
        self._clock = clock
        # What was signed before this process began may have counted already.
        self._since = clock()
        self._lock = threading.Lock()
        self._signers: dict[bytes, _Signer] = {}
        self._revoked: dict[bytes, _Signer] = {}

    def admit(self, site: str, key: bytes, public_key: ec.EllipticCurvePublicKey) -> None:
        """Let a key speak for a site; `key` is its form in the header."""
        with self._lock:
            self._signers[key] = _Signer(site, public_key)

    def revoke(self, site: str) -> None:
        """Let the site's key count no more, from the next request on."""
        with self._lock:
            for key in [key for key, signer in self._signers.items() if signer.site == site]:
                self._revoked[key] = self._signers.pop(key)

    def check(self, headers: Mapping[str, str]) -> str:
        """Give the name of the site that signed this request, or raise Refused."""
        key, signed, signature = self._read(headers)
        now = self._clock()
        with self._lock:
            revoked = self._revoked.get(key)
            signer = self._signers.get(key) or revoked
        if signer is None:
            raise Refused(401, "unknown_key")
        self._verify(signer, signed, signature, now)
        if revoked is not None:
            raise Refused(403, "revoked", signer.site)
        with self._lock:
            self._count(signer, now)
            if signed in signer.seen:
                raise Refused(401, "replayed", signer.site)
            signer.seen.add(signed)
            signer.order.append((now, signed))
        return signer.site

    def _read(self, headers: Mapping[str, str]) -> tuple[bytes, str, bytes]:
        try:
            key = b64decode(headers[self._headers.key], validate=True)
            signature = b64decode(headers[self._headers.signature], validate=True)
            signed = headers[self._headers.time]
        except KeyError as error:
            raise Refused(401, "unsigned") from error
        except ValueError as error:
            raise Refused(401, "signature") from error
        if len(signed) > 64 or not signed.isascii():
            raise Refused(401, "clock")
        return key, signed, signature

    def _verify(self, signer: _Signer, signed: str, signature: bytes, now: float) -> None:
        try:
            signer.key.verify(signature, signed.encode("ascii"), ec.ECDSA(hashes.SHA256()))
        except InvalidSignature as error:
            # The header names a site, and somebody else sent it.
            raise Refused(401, "signature") from error
        try:
            moment = datetime.datetime.fromisoformat(signed)
        except ValueError as error:
            raise Refused(401, "clock", signer.site) from error
        if moment.tzinfo is None:
            raise Refused(401, "clock", signer.site)
        age = now - moment.timestamp()
        if not -AHEAD_S < age < BEHIND_S or moment.timestamp() < self._since:
            raise Refused(401, "clock", signer.site)

    def _count(self, signer: _Signer, now: float) -> None:
        """Forget what is outside the window, and bound how fast one site may ask."""
        while signer.order and signer.order[0][0] < now - BEHIND_S - AHEAD_S:
            signer.seen.discard(signer.order.popleft()[1])
        elapsed = max(0.0, now - signer.refilled)
        signer.tokens = min(_AT_ONCE, signer.tokens + elapsed * _PER_SECOND)
        signer.refilled = now
        if signer.tokens < 1:
            raise Refused(429, "too_many", signer.site)
        signer.tokens -= 1
