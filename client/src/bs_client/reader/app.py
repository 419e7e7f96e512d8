"""The web application: its routes, and the headers that keep every page to itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bs_client.reader import api, pages
from bs_client.reader.open_study import OpenStudy
from bs_client.reader.visitors import study_of

STATIC = Path(__file__).parent / "static"
HEADERS = {
    # No script, style, font or picture but our own files; nothing inline, no frame around it.
    "content-security-policy": (
        "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    # The address of a one-time link is a secret. (no-referrer would make forms come from "null".)
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",  # no image and no answer stays in the browser
}


def make_app(study: OpenStudy, *, hosts: Sequence[str]) -> Starlette:
    """Make the application for one study.

    hosts : names under which browsers may call it; other names are refused, since a foreign site
        could point one of its own names here (DNS rebinding).
    """
    app = Starlette(
        routes=[
            Route("/", pages.home),
            Route("/enter/{token}", pages.enter),
            Route("/enter/{token}", pages.enter_for_good, methods=["POST"]),
            Route("/read", pages.read),
            Route("/leave", pages.leave, methods=["POST"]),
            Route("/progress", pages.progress),
            Route("/api/state", api.state),
            Route("/api/image/{reading:int}", api.image),
            Route("/api/map/{reading:int}", api.model_map),
            *(
                Route(f"/api/{said.__name__.replace('_', '-')}", said, methods=["POST"])
                for said in (
                    api.begin,
                    api.shown,
                    api.model_shown,
                    api.pause,
                    api.resume,
                    api.limit_reached,
                    api.beat,
                    api.draft,
                    api.answer,
                    api.back,
                )
            ),
            Route("/favicon.ico", _icon),
            Mount("/static", StaticFiles(directory=STATIC)),
        ],
        middleware=[
            Middleware(_Headers),
            Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts), www_redirect=False),
        ],
        exception_handlers={HTTPException: _refusal},
    )
    app.state.study = study
    return app


async def _icon(_: Request) -> Response:
    return FileResponse(STATIC / "favicon.svg", media_type="image/svg+xml")


async def _refusal(request: Request, error: Exception) -> Response:
    """Say why, to the page's program as JSON and to a person as a page."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    text = error.detail if isinstance(error, HTTPException) else ""
    if request.url.path.startswith("/api/"):
        return JSONResponse({"error": text}, status)
    return pages.error_page(study_of(request), status, text)


class _Headers:
    """Adds `HEADERS` to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self.app(scope, receive, send_with_headers)
