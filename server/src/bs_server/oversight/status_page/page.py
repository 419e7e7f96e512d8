"""One page, read-only and without a script, on the loopback address."""

from __future__ import annotations

import functools
import socket
import threading
from collections.abc import Awaitable, Callable
from importlib.resources import files
from types import TracebackType
from typing import Self

import uvicorn
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from bs_common.errors import BoneScanError, ConfigError
from bs_server.config import StudyFolder
from bs_server.oversight.status import Status, duration, look, site_says
from bs_server.storage.history import Clock

_HOST = "127.0.0.1"
_STOP_S = 1.0
_REFRESH_S = 5
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class StatusPage:
    """Serves the standing of one study while the context is open; it refreshes itself.

    Parameters
    ----------
    port : on 127.0.0.1; 0 takes a free one, see `port`.
    """

    def __init__(self, folder: StudyFolder, port: int, clock: Clock) -> None:
        self._socket = _listen(port)
        self.port = int(self._socket.getsockname()[1])
        config = uvicorn.Config(
            status_app(folder, clock), log_level="error", server_header=False, lifespan="off"
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), name="status-page", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.should_exit = True
        self._thread.join(_STOP_S)
        self._socket.close()


def status_app(folder: StudyFolder, clock: Clock) -> Starlette:
    """Give the application: the page, and its style."""

    def page(_request: Request) -> Response:
        try:
            return HTMLResponse(render_status(look(folder, clock()), clock))
        except BoneScanError as error:
            return PlainTextResponse(f"{error}\n{error.remedy}\n", status_code=503)

    def style(_request: Request) -> Response:
        css = files("bs_server.oversight.status_page") / "static/status.css"
        return Response(css.read_text("utf-8"), media_type="text/css")

    return Starlette(
        routes=[Route("/", page), Route("/status.css", style)],
        middleware=[
            # A page elsewhere must not read this one by a name that it points here.
            Middleware(TrustedHostMiddleware, allowed_hosts=[_HOST, "localhost"]),
            Middleware(BaseHTTPMiddleware, dispatch=_harden),
        ],
    )


def render_status(status: Status, clock: Clock) -> str:
    """Give the page."""
    now = clock()
    return (
        _environment()
        .get_template("status.html")
        .render(
            status=status,
            standing=status.standing,
            sites=[(site, site_says(site, now)) for site in status.standing.sites],
            now=now.isoformat(timespec="seconds"),
            refresh_s=_REFRESH_S,
            duration=duration,
        )
    )


async def _harden(
    request: Request, call_next: Callable[[Request], Awaitable[Response]]
) -> Response:
    response = await call_next(request)
    response.headers.update(_HEADERS)
    return response


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server((_HOST, port))
    except OSError as error:
        raise ConfigError(
            f"The status page cannot listen on {_HOST}:{port} ({error.strerror}).",
            remedy="Choose another --status-port.",
        ) from error


@functools.cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("bs_server.oversight.status_page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
