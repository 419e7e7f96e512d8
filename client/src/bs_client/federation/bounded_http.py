"""What a site reads from the coordinator, at most: a limit for each call and for each message.

The limits follow from the contract, so a coordinator that was taken over cannot fill a hospital's
memory. Nothing is decompressed and no redirection is followed.
"""

from __future__ import annotations

from collections.abc import Iterator

import httpx

from bs_common.errors import ConnectionLost
from bs_common.sizes import OVERHEAD_BYTES, MessageLimits

_PULL_MESSAGES = "/v1/fleet/pull-messages"
_PULL_OBJECT = "/v1/fleet/pull-object"
_TREE_NODE_BYTES = 128  # a digest in hex and its framing, twice over


class MessageTooLarge(ConnectionLost):
    """The coordinator sends more than any message of this study holds."""


def bound(client: httpx.Client, limits: MessageLimits) -> None:
    """Let a client read no more than the limits, directly or through a proxy."""
    client.follow_redirects = False  # a message must not be sent on to somewhere else
    client._transport = BoundedTransport(client._transport, limits)
    client._mounts = {
        pattern: transport and BoundedTransport(transport, limits)
        for pattern, transport in client._mounts.items()
    }


class BoundedTransport(httpx.BaseTransport):
    """Reads responses through another transport, up to the limits.

    Parameters
    ----------
    inner : does the work.
    limits : the largest message of the study.
    """

    def __init__(self, inner: httpx.BaseTransport, limits: MessageLimits) -> None:
        self._inner = inner
        self._limits = limits
        self._left = 0  # bytes of the message that is being pulled

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and give the whole response, or raise MessageTooLarge."""
        request.headers["accept-encoding"] = "identity"
        response = self._inner.handle_request(request)
        try:
            if response.is_redirect or "content-encoding" in response.headers:
                raise ConnectionLost("the coordinator's answer is redirected or encoded")
            content = self._read(request.url.path, response)
        finally:
            response.close()
        return httpx.Response(
            response.status_code,
            headers=response.headers,
            content=content,
            request=request,
            extensions=response.extensions,  # the connection, for who looks at its certificate
        )

    def close(self) -> None:
        """Close the inner transport."""
        self._inner.close()

    def _read(self, path: str, response: httpx.Response) -> bytes:
        limit = OVERHEAD_BYTES
        if path == _PULL_MESSAGES:
            limit += _TREE_NODE_BYTES * self._limits.objects
            self._left = self._limits.message_bytes + OVERHEAD_BYTES
        elif path == _PULL_OBJECT:
            limit = min(self._limits.object_bytes, self._left)
        parts: list[bytes] = []
        size = 0
        for part in _parts(response):
            size += len(part)
            if size > limit:
                raise MessageTooLarge(
                    f"more than {limit} bytes to {path.rsplit('/', maxsplit=1)[-1]}"
                )
            parts.append(part)
        if path == _PULL_OBJECT:
            self._left -= size
        return b"".join(parts)


def _parts(response: httpx.Response) -> Iterator[bytes]:
    """Give the response piece by piece, as it comes off the wire."""
    stream = response.stream
    if not isinstance(stream, httpx.SyncByteStream):
        raise TypeError("a stream that cannot be read here")
    yield from stream
