"""How many connections an address may hold, and how fast it may open them."""

from __future__ import annotations

import socket

import pytest

from bs_server.gateway.doors import Doors, Room, listen
from bs_server.gateway.refusals import Refusals

ROOM = Room(
    strangers=6,
    stranger=3,
    known=5,
    stranger_per_second=1,
    stranger_at_once=4,
    strangers_per_second=100,
)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def refusals() -> Refusals:
    return Refusals(lambda _: None)


@pytest.fixture
def doors(refusals: Refusals, clock: Clock) -> Doors:
    return Doors(refusals, room=ROOM, clock=clock)


def enter(doors: Doors, address: str, count: int, *, first_port: int = 1) -> int:
    return sum(doors.enter((address, first_port + port)) for port in range(count))


def test_a_stranger_holds_few_connections(doors: Doors, refusals: Refusals) -> None:
    assert enter(doors, "10.0.0.1", 10) == ROOM.stranger
    assert refusals.total == {"too_many": 7}


def test_a_connection_that_ended_makes_room(doors: Doors) -> None:
    enter(doors, "10.0.0.1", 3)
    doors.shook_hands(("10.0.0.1", 1))
    doors.leave(("10.0.0.1", 1))

    assert enter(doors, "10.0.0.1", 1, first_port=50) == 1


def test_a_stranger_opens_them_slowly(doors: Doors, clock: Clock) -> None:
    for port in range(4):
        assert doors.enter(("10.0.0.1", port))
        doors.leave(("10.0.0.1", port))

    assert not doors.enter(("10.0.0.1", 5))
    clock.now = 1.1
    assert doors.enter(("10.0.0.1", 6))


def test_many_strangers_share_what_there_is(doors: Doors) -> None:
    assert sum(enter(doors, f"10.0.0.{number}", 1) for number in range(20)) == ROOM.strangers


def test_strangers_take_nothing_from_an_address_of_a_site(doors: Doors) -> None:
    doors.know("192.0.2.1")
    for number in range(20):
        enter(doors, f"10.0.0.{number}", 3)

    assert enter(doors, "192.0.2.1", 10) == ROOM.known


def test_a_connection_that_never_spoke_tls_is_told(doors: Doors, refusals: Refusals) -> None:
    doors.enter(("10.0.0.1", 1))
    doors.enter(("10.0.0.1", 2))
    doors.shook_hands(("10.0.0.1", 2))

    doors.leave(("10.0.0.1", 1))
    doors.leave(("10.0.0.1", 2))

    assert refusals.total == {"no_tls": 1}


def test_a_refused_connection_is_closed_and_the_next_that_fits_is_accepted(doors: Doors) -> None:
    with listen("127.0.0.1", 0, doors) as server:
        address = server.getsockname()
        calls = [
            socket.create_connection(address, source_address=(source, 0))
            for source in (*["127.0.0.1"] * 4, "127.0.0.2")
        ]
        accepted = [server.accept() for _ in range(4)]

        assert [peer[0] for _, peer in accepted] == ["127.0.0.1"] * 3 + ["127.0.0.2"]
        assert calls[3].recv(1) == b""
        for connection, _ in accepted:
            connection.close()
        assert doors.enter(("127.0.0.2", 1))
        for call in calls:
            call.close()


def test_ipv6_takes_ipv4_as_well(doors: Doors) -> None:
    with listen("::", 0, doors) as server:
        port = server.getsockname()[1]
        for host in ("127.0.0.1", "::1"):
            socket.create_connection((host, port)).close()
