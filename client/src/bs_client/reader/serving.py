"""Running the page's server: on this machine alone, or at an address over TLS."""

from __future__ import annotations

import ipaddress
import time
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn

from bs_client.reader.app import make_app
from bs_client.reader.open_study import open_study
from bs_client.reader.protocol import ReaderStudyFolder
from bs_common.errors import ConfigError

LOCAL_NAMES = ("127.0.0.1", "localhost", "[::1]")


def now_ms() -> int:
    """Give the time in milliseconds; it must go on when the server is started again."""
    return time.time_ns() // 1_000_000


def serve(
    folder: ReaderStudyFolder,
    *,
    address: str,
    listen: str,
    certificate: Path | None,
    key: Path | None,
) -> None:
    """Serve a study until the process is told to stop.

    Parameters
    ----------
    address : as the links name it, such as ``https://reading.hospital.example:8765``.
    listen : IP address to listen at; anything but this machine's own needs TLS.
    certificate, key : PEM files of the server's certificate chain and its private key.

    Raises
    ------
    ConfigError if readers' answers would travel in the open, or the files do not fit the address.
    """
    parts = urlsplit(address)
    secure = parts.scheme == "https"
    _check(parts.scheme, parts.hostname, listen, certificate, key)
    study = open_study(folder, now_ms, secure=secure)
    app = make_app(study, hosts=(*LOCAL_NAMES, parts.hostname or "localhost"))
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host=listen,
            port=parts.port or (443 if secure else 80),
            ssl_certfile=certificate,
            ssl_keyfile=key,
            access_log=False,  # a one-time link must not stand in a log
            log_level="warning",
            server_header=False,
            proxy_headers=False,
            lifespan="off",
            ws="none",
        )
    )
    try:
        server.run()
    finally:
        study.store.close()


def _check(
    scheme: str, host: str | None, listen: str, certificate: Path | None, key: Path | None
) -> None:
    if scheme not in ("http", "https") or not host:
        raise ConfigError(
            "The address of the page is not complete.",
            remedy="Such as http://127.0.0.1:8765 or https://reading.hospital.example:8765.",
        )
    if scheme == "http" and not ipaddress.ip_address(listen).is_loopback:
        raise ConfigError(
            f"At {listen} others on the network could read along.",
            remedy="Give an https:// address with --certificate and --key, or listen at 127.0.0.1.",
        )
    given = certificate is not None and key is not None
    if given != (scheme == "https"):
        raise ConfigError(
            "An https:// address needs --certificate and --key; an http:// address takes neither.",
            remedy="Ask the hospital's IT for a certificate of the machine's name (PEM).",
        )
    for path in (certificate, key):
        if path is not None and not path.is_file():
            raise ConfigError(f"{path}: no such file.", remedy="Give the PEM files' paths.")
