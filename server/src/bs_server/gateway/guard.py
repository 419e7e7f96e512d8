"""The outermost layer of the web app: nothing of a request is looked at before it may ask.

In this order: the path exists, the signature is an enrolled key's and new, the body is small
enough and comes fast enough. Whoever fails is told a status and nothing else, and is counted.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from bs_server.gateway.admission import Admission, Refused
from bs_server.gateway.refusals import Refusals

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

SITE = "site"  # in the request's state: who asks
OTHER_PATH = "http"  # a path that does not exist is named by nothing that a stranger chose
_BODY_S = 20.0  # a request without arrays; one with them has the time of a slow line on top
_SLOW_LINE_BYTES_S = 16 * 2**10
_AT_ONCE = 16  # requests of one site in work; its own client has three


class Guard:
    """An ASGI app around the Fleet API.

    Parameters
    ----------
    app : answers an admitted request, or raises Refused before it has begun to.
    body_bytes : largest body by path; no other path exists, and all are asked by POST.
    admission : who may ask.
    refusals : where refusals are counted.
    admitted : told the address of every admitted request.
    """

    def __init__(
        self,
        app: App,
        *,
        body_bytes: Mapping[str, int],
        admission: Admission,
        refusals: Refusals,
        admitted: Callable[[str], None] = lambda address: None,
    ) -> None:
        self._app = app
        self._body_bytes = body_bytes
        self._admission = admission
        self._refusals = refusals
        self._admitted = admitted
        self._in_work: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass on what is not one (the server's own start and stop)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        address = scope["client"][0] if scope.get("client") else "unknown"
        try:
            await self._answer(scope, receive, send, address)
        except Refused as refused:
            asked = scope["path"] if scope["path"] in self._body_bytes else OTHER_PATH
            self._refusals.note(refused.peer or address, asked, refused.reason)
            await _send_bare(send, refused.status)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, address: str) -> None:
        if scope["method"] != "POST" or scope["path"] not in self._body_bytes:
            raise Refused(404, "no_such_path")
        headers = {name.decode("latin-1"): v.decode("latin-1") for name, v in scope["headers"]}
        site = self._admission.check(headers)
        self._admitted(address)
        if self._in_work[site] >= _AT_ONCE:
            raise Refused(429, "too_many", site)
        self._in_work[site] += 1
        try:
            limit = self._body_bytes[scope["path"]]
            body = await _read_body(receive, headers, limit=limit, site=site)
            scope.setdefault("state", {})[SITE] = site
            await self._app(scope, _replay(body, receive), send)
        finally:
            self._in_work[site] -= 1


async def _read_body(
    receive: Receive, headers: Mapping[str, str], *, limit: int, site: str
) -> bytes:
    """Read a body of at most `limit` bytes, whatever its sender says of its length."""
    declared = headers.get("content-length", "0")
    if "content-encoding" in headers:
        raise Refused(415, "encoded", site)
    if not declared.isdecimal() or int(declared) > limit:
        raise Refused(413, "too_large", site)
    parts: list[bytes] = []
    size, more = 0, True
    try:
        async with asyncio.timeout(_BODY_S + limit / _SLOW_LINE_BYTES_S):
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Refused(400, "cut_off", site)
                part = message.get("body", b"")
                size += len(part)
                if size > limit:
                    raise Refused(413, "too_large", site)
                parts.append(part)
                more = message.get("more_body", False)
    except TimeoutError as error:
        raise Refused(408, "too_slow", site) from error
    return b"".join(parts)


def _replay(body: bytes, receive: Receive) -> Receive:
    """Hand the read body on; after it, whatever the connection tells."""
    given = False

    async def next_message() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return next_message


async def _send_bare(send: Send, status: int) -> None:
    """Answer with a status alone, and end the connection."""
    headers = [(b"content-length", b"0"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
