"""Who may see the page: one-time links, the visits they open, and the mark of a form of one's own.

Only SHA-256 digests of links and cookies are kept, so the database admits nobody.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

from bs_client.reader.protocol import Protocol
from bs_client.reader.store import Store

LEAD = "lead"  # who watches the progress; sees no image and no answer
TOKEN_BYTES = 32


def holders(protocol: Protocol) -> tuple[str, ...]:
    """Name everybody who gets a link: the lead and the readers."""
    return (LEAD, *protocol.reader_names)


def make_link(store: Store, holder: str, *, address: str, at_ms: int) -> str:
    """Make a link that opens one visit; earlier links and visits of the holder end."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    store.put_link(holder, digest(token), at_ms=at_ms)
    return f"{address.rstrip('/')}/enter/{token}"


def digest(secret: str) -> str:
    """Give what is kept of a link or cookie."""
    return hashlib.sha256(secret.encode()).hexdigest()


def form_mark(cookie: str) -> str:
    """Give the mark that requests of this visit must carry; another site cannot know it."""
    return hashlib.sha256(f"form\x1f{cookie}".encode()).hexdigest()


def is_own_form(cookie: str, mark: str) -> bool:
    """Whether a request carries the mark of its visit."""
    return hmac.compare_digest(form_mark(cookie).encode(), mark.encode())
