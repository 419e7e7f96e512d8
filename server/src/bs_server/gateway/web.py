"""The HTTPS server around the Fleet API: its socket, its certificate, its thread.

What it serves is an ASGI app that it knows nothing of; `doors`, `connection` and `guard` stand
before it.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import uvicorn

from bs_common.errors import ConfigError, ConnectionLost, TrustError
from bs_server.gateway.admission import Admission
from bs_server.gateway.connection import HEAD_S, connection_kind
from bs_server.gateway.doors import Doors, GuardedSocket, listen
from bs_server.gateway.guard import App, Guard
from bs_server.gateway.refusals import Refusals

_START_TIMEOUT_S = 20.0
_STOP_S = 2
_KEEP_ALIVE_S = 120  # a site computes for hours, yet its heartbeats come every 10 s


class WebServer:
    """Serves one app over TLS in a thread, from `start` to `stop`.

    Parameters
    ----------
    app : answers admitted requests.
    host, port : the address to listen on; port 0 takes a free one, see `port`.
    certificate, private_key : PEM files of the server certificate and its key.
    body_bytes : largest body by path; no other path exists.
    admission : who may ask.
    refusals : where refusals are counted.
    """

    def __init__(
        self,
        app: App,
        *,
        host: str,
        port: int,
        certificate: Path,
        private_key: Path,
        body_bytes: Mapping[str, int],
        admission: Admission,
        refusals: Refusals,
    ) -> None:
        doors = Doors(refusals)
        guard = Guard(
            app,
            body_bytes=body_bytes,
            admission=admission,
            refusals=refusals,
            admitted=doors.know,
        )
        self._socket = _listen(host, port, doors)
        self._pair = (certificate, private_key)
        self._loop = _Loop()
        self._server = uvicorn.Server(
            uvicorn.Config(
                guard,
                http=connection_kind(refusals, doors.shook_hands),
                ws="none",
                lifespan="off",
                ssl_certfile=str(certificate),
                ssl_keyfile=str(private_key),
                log_level="error",
                access_log=False,
                server_header=False,
                timeout_keep_alive=_KEEP_ALIVE_S,
                timeout_graceful_shutdown=_STOP_S,
            )
        )
        self._thread = threading.Thread(target=self._run, name="fleet-api", daemon=True)

    @property
    def port(self) -> int:
        """Port that the server listens on."""
        return int(self._socket.getsockname()[1])

    def start(self) -> None:
        """Start serving; raises ConnectionLost with what to check if that fails."""
        self._thread.start()
        end = time.monotonic() + _START_TIMEOUT_S
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > end:
                raise ConnectionLost(
                    "The Fleet API did not start.",
                    remedy="Check the server certificate and key, and that the port is free.",
                )
            time.sleep(0.01)

    def stop(self) -> None:
        """End every connection and the thread."""
        self._server.should_exit = True
        self._thread.join(timeout=5)
        self._socket.close()

    def reload_certificate(self) -> None:
        """Show the certificate that is in the files now to whoever connects from now on.

        Raises TrustError if certificate and key do not fit; the old ones then stay.
        """
        try:
            # In a context of its own first: loading an unfitting pair leaves half of it behind.
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*self._pair)
        except (ssl.SSLError, OSError) as error:
            raise TrustError(
                f"{self._pair[0].name}: certificate and key do not fit ({type(error).__name__})",
                remedy="bs-server renew STUDY_DIR writes a new pair.",
            ) from error
        context = self._server.config.ssl
        if context is not None:
            self._loop.call_soon_threadsafe(context.load_cert_chain, *self._pair)

    def _run(self) -> None:
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # strangers' broken handshakes
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._server.serve(sockets=[self._socket]))


class _Loop(asyncio.SelectorEventLoop):
    """An event loop whose TLS handshakes have as long as a request's head, not a minute."""

    async def create_server(self, *args: Any, **options: Any) -> asyncio.Server:
        """Listen, as the loop does."""
        return await super().create_server(*args, **{"ssl_handshake_timeout": HEAD_S, **options})


def _listen(host: str, port: int, doors: Doors) -> GuardedSocket:
    try:
        return listen(host, port, doors)
    except OSError as error:
        raise ConfigError(
            f"Cannot listen on {host}:{port} ({error.strerror}).",
            remedy="Choose another address or port under [server] in study.toml.",
        ) from error
