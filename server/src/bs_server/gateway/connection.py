"""One HTTP connection: its request heads are small and come soon, or it ends.

What a body may be is `guard`'s matter; this is about what comes before there is a request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from bs_server.gateway.doors import CONNECTION, Peer
from bs_server.gateway.refusals import Refusals

HEAD_S = 10.0
HEAD_BYTES = 16 * 2**10
_BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


def connection_kind(
    refusals: Refusals, shook_hands: Callable[[Peer], None]
) -> type[asyncio.Protocol]:
    """Give the protocol class of a server.

    Parameters
    ----------
    refusals : where refusals are counted.
    shook_hands : told the peer of every connection that speaks TLS.
    """

    class Connection(HttpToolsProtocol):
        """Uvicorn's connection with limits on the head of each request."""

        _deadline: asyncio.TimerHandle | None = None
        _head_bytes: int | None = 0  # None while no head is being read

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            if self.client is not None:
                shook_hands(self.client)
            self._await_head()

        def connection_lost(self, exc: Exception | None) -> None:
            self._end_deadline()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self._head_bytes is not None:
                self._head_bytes += len(data)
                if self._head_bytes > HEAD_BYTES:
                    self._refuse("too_large")

        def on_message_begin(self) -> None:
            super().on_message_begin()
            self._await_head()

        def on_headers_complete(self) -> None:
            self._end_deadline()
            self._head_bytes = None
            super().on_headers_complete()

        def send_400_response(self, msg: str) -> None:
            self._note("bad_request")
            self.transport.write(_BAD_REQUEST)
            self.transport.close()

        def _await_head(self) -> None:
            self._end_deadline()
            self._head_bytes = 0
            self._deadline = self.loop.call_later(HEAD_S, self._refuse, "too_slow")

        def _end_deadline(self) -> None:
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None

        def _refuse(self, reason: str) -> None:
            if not self.transport.is_closing():
                self._note(reason)
                self.transport.abort()

        def _note(self, reason: str) -> None:
            refusals.note(self.client[0] if self.client else "unknown", CONNECTION, reason)

    return Connection
