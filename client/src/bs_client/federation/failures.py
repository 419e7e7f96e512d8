"""Why the coordinator was not reached, by cause, and what to do about it."""

from __future__ import annotations

import datetime
import socket
import ssl
from collections.abc import Iterator

import httpx

from bs_client.federation.transport import (
    CLOCK_REMEDY,
    Coordinator,
    clock_ahead_s,
    clock_fault,
    find_proxy,
    name_proxy,
)
from bs_common.errors import BoneScanError, ConfigError, ConnectionLost, TrustError

# OpenSSL's X509_V_ERR_* numbers (x509_vfy.h).
_NOT_YET_VALID, _EXPIRED = 9, 10
_OTHER_NAME = (62, 64)
_REVOKED = 403


def explain_refusal(response: httpx.Response, *, now: datetime.datetime) -> BoneScanError:
    """Say why the coordinator answered, and did not let this site in.

    A stranger is told a status and a time: 401 stands for a key that is not enrolled and for a
    clock that is off. TrustError where waiting cannot mend it.
    """
    if response.status_code == _REVOKED:
        return TrustError(
            "The coordinator has ended this site's access: its key was revoked.",
            remedy="Ask the coordinator why. To take part again, join in a new folder with a new "
            "invitation: a key that was revoked never counts again.",
        )
    fault = clock_fault(clock_ahead_s(response, now=now))
    if fault:
        return ConnectionLost(f"not let in: {fault}", remedy=CLOCK_REMEDY)
    return ConnectionLost(
        "the coordinator does not accept this site's key: it is not enrolled",
        remedy="Ask the coordinator to enrol this site, with the .enrol file that joining "
        "wrote: bs-server enrol FILE. Until then this site goes on trying.",
    )


def explain(error: httpx.HTTPError, coordinator: Coordinator) -> BoneScanError:
    """Say why the coordinator was not reached: TrustError where waiting cannot mend it."""
    address, proxy = coordinator.address, find_proxy(coordinator)
    if isinstance(error, httpx.ProxyError):
        return _explain_proxy(error, coordinator, proxy or "")
    way = f"{address} through the proxy {name_proxy(proxy)}" if proxy else address
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _explain_certificate(cause, coordinator)
        if isinstance(cause, ssl.SSLError):
            return ConnectionLost(
                f"{way} does not speak TLS as a coordinator does ({cause.reason}).",
                remedy="Check the address with the coordinator.",
            )
        if isinstance(cause, socket.gaierror):
            host = httpx.URL(proxy).host if proxy else coordinator.host
            return ConnectionLost(
                f"The name {host} is not known on this machine.",
                remedy="Check it with the coordinator and your network's administrators; where "
                "only a proxy leads outside, give it: --proxy http://HOST:PORT",
            )
        if isinstance(cause, ConnectionRefusedError):
            if proxy:
                return ConnectionLost(
                    f"The proxy {name_proxy(proxy)} refuses connections.",
                    remedy="Check HTTPS_PROXY, or [connection] proxy in site.toml.",
                )
            return ConnectionLost(
                f"Nobody listens at {address} now.",
                remedy="The coordinator may not run yet (bs-server run); else check the address.",
            )
    if isinstance(error, httpx.TimeoutException):
        return ConnectionLost(
            f"No answer from {way}.",
            remedy=f"Ask your network's administrators to allow outgoing HTTPS to {address}, or "
            "for the proxy: --proxy http://HOST:PORT",
        )
    return ConnectionLost(
        f"{way} cannot be reached ({type(error).__name__}).",
        remedy=f"Check that outgoing HTTPS to {address} is allowed, and ask the coordinator.",
    )


def _explain_proxy(error: httpx.ProxyError, coordinator: Coordinator, proxy: str) -> BoneScanError:
    # httpcore words it as the proxy's status line: "403 Forbidden".
    status = str(error)[:3]
    named = name_proxy(proxy)
    if status == "407":
        return ConfigError(
            f"The proxy {named} wants a user name and password (407).",
            remedy="Put http://USER:PASSWORD@HOST:PORT under [connection] in site.toml.",
        )
    if status.startswith("4"):
        return ConfigError(
            f"The proxy {named} does not let this machine reach {coordinator.address} ({status}).",
            remedy=f"Ask the proxy's administrators to allow CONNECT to {coordinator.address}.",
        )
    return ConnectionLost(
        f"The proxy {named} does not reach {coordinator.address} ({status}).",
        remedy="The coordinator may not run yet; else ask the proxy's administrators.",
    )


def _explain_certificate(
    error: ssl.SSLCertVerificationError, coordinator: Coordinator
) -> TrustError | ConnectionLost:
    code = error.verify_code
    if code == _EXPIRED:  # mended at the coordinator, while this site waits
        return ConnectionLost(
            f"The certificate of {coordinator.address} is not accepted: it has expired.",
            remedy="Ask the coordinator to run: bs-server renew. No new invitation is needed. "
            "If it has not expired, this machine's clock is wrong.",
        )
    if code == _NOT_YET_VALID:
        return TrustError(
            f"The certificate of {coordinator.address} is not accepted: by this machine's clock it "
            "is not valid yet.",
            remedy=CLOCK_REMEDY,
        )
    if code in _OTHER_NAME:
        return TrustError(
            f"The certificate is not accepted: it does not name {coordinator.host}.",
            remedy="Ask the coordinator to issue a certificate with this name: bs-server renew.",
        )
    return TrustError(
        f"The coordinator's certificate is not accepted: at {coordinator.address} it is not from "
        f"this study's authority ({error.verify_message}).",
        remedy="Compare the authority's fingerprint with the coordinator by telephone; do not "
        "continue otherwise. A hospital proxy that opens TLS looks the same: ask for an exception "
        f"for {coordinator.host}.",
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
