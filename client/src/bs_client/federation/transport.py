"""HTTPS to the coordinator as this site may make it: its own authority pinned, proxies honoured.

Nothing here knows Flower; what goes wrong is told by cause in `failures`.
"""

from __future__ import annotations

import datetime
import email.utils
import logging
import ssl
import time
import urllib.request
from dataclasses import dataclass

import httpx
from cryptography import x509

from bs_common.certificates import describe_end
from bs_common.errors import ConfigError, TrustError
from bs_common.sizes import LARGEST, MessageLimits

_log = logging.getLogger(__name__)

TIMEOUT_S = 30.0
# One object of a message has about 5 MiB; the largest answer of the Fleet API is one of these.
MAX_RESPONSE_BYTES = 32 * 2**20
_DAY_S = 24 * 3600.0
# Flower's node authentication refuses a request signed more than 5 s ahead of the coordinator's
# clock or 305 s behind it (flwr.common.constant: SYSTEM_TIME_TOLERANCE, TIMESTAMP_TOLERANCE).
MOST_AHEAD_S, MOST_BEHIND_S = 5.0, 300.0


@dataclass(frozen=True, slots=True)
class Coordinator:
    """Where the coordinator is, and the only certificate authority that may vouch for it.

    address : ``host:port``.
    ca_certificate : PEM text.
    proxy : URL of an HTTPS proxy, ``direct``, or None for what HTTPS_PROXY and NO_PROXY say.
    limits : the largest message of the study; nothing larger is read.
    """

    address: str
    ca_certificate: str
    proxy: str | None = None
    limits: MessageLimits = LARGEST

    @property
    def url(self) -> str:
        """Root of the coordinator's HTTPS address."""
        return f"https://{self.address}"

    @property
    def host(self) -> str:
        """Name or IP address alone."""
        return httpx.URL(self.url).host


def pinned_context(coordinator: Coordinator) -> ssl.SSLContext:
    """Give a TLS context that trusts the study's authority and nobody else."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cadata=coordinator.ca_certificate)
    except (ssl.SSLError, ValueError) as error:
        raise TrustError(
            "The invitation holds no readable certificate of the coordinator's authority.",
            remedy="Ask the coordinator for the invitation again, then join again.",
        ) from error
    return context


def find_proxy(coordinator: Coordinator) -> str | None:
    """Give the URL of the proxy that leads to the coordinator, or None for a direct way."""
    if coordinator.proxy is not None:
        return None if coordinator.proxy == "direct" else coordinator.proxy
    proxies = urllib.request.getproxies()
    found = proxies.get("https") or proxies.get("all")
    if not found or urllib.request.proxy_bypass(coordinator.host):
        return None
    return found if "://" in found else f"http://{found}"


def name_proxy(proxy: str) -> str:
    """Give a proxy's address without any password in it."""
    url = httpx.URL(proxy)
    return f"{url.scheme}://{url.host}:{url.port or 80}"


def open_client(coordinator: Coordinator, *, timeout_s: float = TIMEOUT_S) -> httpx.Client:
    """Give a client for the coordinator alone: no redirects, no other authority, bounded answers.

    Raises TrustError for an unreadable certificate, ConfigError for a proxy of an unknown kind.
    """
    proxy = find_proxy(coordinator)
    try:
        return httpx.Client(
            verify=pinned_context(coordinator),
            proxy=proxy,
            trust_env=False,  # the proxy is decided above; nothing else of the environment counts
            timeout=timeout_s,
            follow_redirects=False,
            event_hooks={"response": [_check_size, _CertificateWatch()]},
        )
    except (ValueError, ImportError, httpx.InvalidURL) as error:
        raise ConfigError(
            f"The proxy {proxy.partition('@')[2] or proxy if proxy else ''} cannot be used.",
            remedy="Give http://HOST:PORT in HTTPS_PROXY, or under [connection] in site.toml.",
        ) from error


class AnswerTooLarge(httpx.RemoteProtocolError):
    """The coordinator sends more than `MAX_RESPONSE_BYTES` at once, or does not say how much."""


def _check_size(response: httpx.Response) -> None:
    """Refuse an answer before it is read that is too large, or does not say how large it is."""
    length = response.headers.get("content-length", "")
    if response.is_success and not (length.isdecimal() and int(length) <= MAX_RESPONSE_BYTES):
        response.close()
        raise AnswerTooLarge("an answer larger than any message")


class _CertificateWatch:
    """Warns, once a day, of a certificate that ends soon."""

    def __init__(self) -> None:
        self._looked_at = -_DAY_S

    def __call__(self, response: httpx.Response) -> None:
        if time.monotonic() - self._looked_at < _DAY_S:
            return
        expiry = certificate_expiry(response)
        if expiry is None:
            return
        self._looked_at = time.monotonic()
        days = (expiry - datetime.datetime.now(datetime.UTC)).days
        end = describe_end("the coordinator's certificate", days)
        if end is not None:
            _log.warning("%s; tell the coordinator to run: bs-server renew", end)


def certificate_expiry(response: httpx.Response) -> datetime.datetime | None:
    """Give the time until which the coordinator's certificate holds, UTC."""
    stream = response.extensions.get("network_stream")
    tls = stream.get_extra_info("ssl_object") if stream is not None else None
    der = tls.getpeercert(True) if tls is not None else None
    return x509.load_der_x509_certificate(der).not_valid_after_utc if der else None


def clock_ahead_s(response: httpx.Response, *, now: datetime.datetime) -> float | None:
    """Give the seconds by which this machine's clock is ahead of the coordinator's.

    From the Date header (RFC 9110, 6.6.1), which has whole seconds: right to about a second. None
    where the answer has none.
    """
    try:
        date = email.utils.parsedate_to_datetime(response.headers["date"])
    except (KeyError, ValueError):
        return None
    return (now - date).total_seconds() - 0.5


def clock_fault(ahead_s: float | None) -> str:
    """Say that the clock is too far off for the coordinator; empty if it is not."""
    if ahead_s is None or -MOST_BEHIND_S <= ahead_s <= MOST_AHEAD_S:
        return ""
    way = "ahead of" if ahead_s > 0 else "behind"
    return f"this machine's clock is {abs(ahead_s):.0f} s {way} the coordinator's"


CLOCK_REMEDY = (
    "Set the clock (timedatectl set-ntp true, or chrony). More than 5 s ahead or 5 min behind is "
    "refused. If this clock is right, tell the coordinator."
)
