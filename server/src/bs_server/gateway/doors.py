"""The listening socket: how many connections an address may hold, and how fast it may open them.

Decided before TLS, where a refusal costs next to nothing. An address from which an enrolled site
was admitted has room of its own, so that strangers cannot take it.
"""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from bs_server.gateway.refusals import Refusals

_REFUSED_IN_A_ROW = 64
CONNECTION = "connection"  # what is asked for where there is no request yet

Peer = tuple[str, int]  # address and port


@dataclass(frozen=True, slots=True)
class Room:
    """How much there is for whom.

    strangers, stranger : connections of all addresses unknown so far, and of one of them.
    known : connections of one address of an enrolled site; several sites may share a proxy.
    stranger_per_second, stranger_at_once : how fast one unknown address may open connections.
    strangers_per_second : the same for all of them: a TLS handshake costs about 1 ms.
    """

    strangers: int = 128
    stranger: int = 32
    known: int = 256
    stranger_per_second: float = 5.0
    stranger_at_once: float = 40.0
    strangers_per_second: float = 100.0


class _Bucket:
    """Tokens that come back with time."""

    def __init__(self, per_second: float, at_once: float, now: float) -> None:
        self._per_second, self._at_once = per_second, at_once
        self._tokens, self._refilled = at_once, now

    def take(self, now: float) -> bool:
        """Take one token, if there is one."""
        added = max(0.0, now - self._refilled) * self._per_second
        self._tokens, self._refilled = min(self._at_once, self._tokens + added), now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Doors:
    """Who holds how many connections.

    Parameters
    ----------
    refusals : where refused connections are counted.
    clock : seconds that only rise.
    """

    def __init__(
        self,
        refusals: Refusals,
        *,
        room: Room = Room(),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._refusals = refusals
        self._room = room
        self._clock = clock
        self._lock = threading.Lock()
        self._open: Counter[str] = Counter()
        self._shaking: set[Peer] = set()
        self._known: set[str] = set()
        self._all = _Bucket(room.strangers_per_second, room.strangers_per_second, clock())
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def know(self, address: str) -> None:
        """Note that an enrolled site was admitted from an address."""
        if address not in self._known:
            with self._lock:
                self._known.add(address)

    def enter(self, peer: Peer) -> bool:
        """Count a new connection in, or refuse it."""
        address = peer[0]
        with self._lock:
            fits = self._fits(address)
            if fits:
                self._open[address] += 1
                self._shaking.add(peer)
        if not fits:
            self._refusals.note(address, CONNECTION, "too_many")
        return fits

    def shook_hands(self, peer: Peer) -> None:
        """Note that a connection speaks TLS."""
        with self._lock:
            self._shaking.discard(peer)

    def leave(self, peer: Peer) -> None:
        """Count a connection out."""
        address = peer[0]
        with self._lock:
            without_tls = peer in self._shaking
            self._shaking.discard(peer)
            self._open[address] -= 1
            if self._open[address] <= 0:
                del self._open[address]
        if without_tls:
            self._refusals.note(address, CONNECTION, "no_tls")

    def _fits(self, address: str) -> bool:
        if address in self._known:
            return self._open[address] < self._room.known
        strangers = sum(n for other, n in self._open.items() if other not in self._known)
        if strangers >= self._room.strangers or self._open[address] >= self._room.stranger:
            return False
        now = self._clock()
        return self._bucket(address, now).take(now) and self._all.take(now)

    def _bucket(self, address: str, now: float) -> _Bucket:
        if address not in self._buckets:
            room = self._room
            self._buckets[address] = _Bucket(room.stranger_per_second, room.stranger_at_once, now)
            if len(self._buckets) > 10_000:  # an attacker's addresses must not fill the memory
                self._buckets.popitem(last=False)
        return self._buckets[address]


class GuardedSocket(socket.socket):
    """A listening socket whose `accept` gives the connections that fit, and closes the others."""

    doors: Doors

    def accept(self) -> tuple[socket.socket, tuple[object, ...]]:
        """Accept the next connection that fits, as `socket.socket.accept` does."""
        for _ in range(_REFUSED_IN_A_ROW):
            descriptor, address = self._accept()  # type: ignore[attr-defined]
            peer = (str(address[0]), int(address[1]))
            if self.doors.enter(peer):
                connection = _CountedSocket(self.family, self.type, self.proto, fileno=descriptor)
                connection.left = partial(self.doors.leave, peer)
                return connection, address
            socket.close(descriptor)
        # The event loop then does other work before it comes back here.
        raise ConnectionAbortedError("too many connections")


class _CountedSocket(socket.socket):
    """A connection that says when it ends."""

    left: Callable[[], None] | None = None

    def _real_close(self, *args: object) -> None:
        left, self.left = self.left, None
        super()._real_close(*args)  # type: ignore[misc]
        if left is not None:
            left()


def listen(host: str, port: int, doors: Doors) -> GuardedSocket:
    """Open the listening socket; `::` takes IPv4 as well. Raises OSError as the system gives it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    plain = socket.create_server(
        (host, port), family=family, backlog=128, dualstack_ipv6=host == "::"
    )
    guarded = GuardedSocket(fileno=plain.detach())
    guarded.doors = doors
    return guarded
