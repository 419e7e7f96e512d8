"""What a site reads from the coordinator, at most."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from bs_client.federation.bounded_http import BoundedTransport, MessageTooLarge, bound
from bs_common.errors import ConnectionLost
from bs_common.sizes import MessageLimits

LIMITS = MessageLimits(objects=3, object_bytes=100_000, message_bytes=150_000)
FLEET = "https://coordinator/v1/fleet"


class Endless(httpx.SyncByteStream):
    """A response without end that counts what was taken of it."""

    def __init__(self, end: int = 2**30) -> None:
        self.end, self.taken, self.closed = end, 0, False

    def __iter__(self) -> Iterator[bytes]:
        while self.taken < self.end:
            part = min(10_000, self.end - self.taken)
            self.taken += part
            yield bytes(part)

    def close(self) -> None:
        self.closed = True


class Wire(httpx.BaseTransport):
    """Answers every request with the same stream."""

    def __init__(self, stream: Endless, headers: dict[str, str] | None = None) -> None:
        self.stream = stream
        self.headers = headers or {}
        self.status = 200
        self.asked: list[httpx.Request] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return httpx.Response(self.status, headers=self.headers, stream=self.stream)


def post(wire: Wire, *calls: str) -> list[httpx.Response]:
    transport = BoundedTransport(wire, LIMITS)
    return [transport.handle_request(httpx.Request("POST", f"{FLEET}/{call}")) for call in calls]


@pytest.mark.parametrize("call", ["activate-node", "pull-messages", "pull-object"])
def test_an_endless_answer_is_left_soon(call: str) -> None:
    stream = Endless()

    with pytest.raises(MessageTooLarge, match=call):
        post(Wire(stream), call)
    assert stream.taken < 200_000
    assert stream.closed


def test_an_answer_within_the_limit_is_whole() -> None:
    (answered,) = post(Wire(Endless(60_000)), "pull-messages")

    assert len(answered.content) == 60_000


def test_the_objects_of_a_message_share_its_limit() -> None:
    class Message(Wire):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            large = request.url.path.endswith("pull-object")
            self.stream = Endless(90_000 if large else 100)
            return super().handle_request(request)

    post(Message(Endless()), "pull-messages", "pull-object", "pull-messages", "pull-object")
    with pytest.raises(MessageTooLarge):
        post(Message(Endless()), "pull-messages", *["pull-object"] * 3)


def test_nothing_is_unpacked() -> None:
    wire = Wire(Endless(10), {"content-encoding": "gzip"})

    with pytest.raises(ConnectionLost, match="encoded"):
        post(wire, "pull-object")
    assert wire.asked[0].headers["accept-encoding"] == "identity"


def test_a_message_is_not_sent_on_to_somewhere_else() -> None:
    wire = Wire(Endless(10), {"location": "http://elsewhere.example/"})
    wire.status = 307
    client = httpx.Client(transport=wire, follow_redirects=True)
    bound(client, LIMITS)

    with pytest.raises(ConnectionLost, match="redirected"):
        client.post(f"{FLEET}/push-messages", content=b"weights")
    assert len(wire.asked) == 1


def test_a_client_that_goes_through_a_proxy_is_bounded_too() -> None:
    client = httpx.Client(proxy="http://proxy.example:3128")

    bound(client, LIMITS)

    transports = [client._transport, *client._mounts.values()]
    assert len(transports) > 1
    assert all(isinstance(transport, BoundedTransport) for transport in transports if transport)
