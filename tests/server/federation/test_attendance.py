"""Who is there, and since when the others are not."""

from __future__ import annotations

from bs_server.federation.attendance import Attendance


class Room:
    """A link whose people come and go, a clock, and the events told."""

    def __init__(self) -> None:
        self.now = 100.0
        self.people: frozenset[str] = frozenset()
        self.looks = 0
        self.told: list[tuple[str, object]] = []
        self.attendance = Attendance(
            self._online, ["a", "b"], told=self._hear, clock=lambda: self.now
        )

    def _online(self) -> frozenset[str]:
        self.looks += 1
        return self.people

    def _hear(self, event: str, **facts: object) -> None:
        self.told.append((event, facts["site"]))

    def at(self, now: float, *people: str) -> Attendance:
        self.now, self.people = now, frozenset(people)
        self.attendance.look()
        return self.attendance


def test_a_site_that_never_came_is_away_since_the_start() -> None:
    assert Room().at(107).away_s("a") == 7


def test_a_connected_site_is_not_away() -> None:
    room = Room()

    assert room.at(107, "a").away_s("a") == 0
    assert room.told == [("back", "a")]


def test_absence_is_counted_from_when_it_was_noticed() -> None:
    room = Room()
    room.at(101, "a", "b")
    room.at(110, "b")

    assert room.at(115, "b").away_s("a") == 5
    assert room.told[-1] == ("away", "a")


def test_a_short_visit_begins_a_new_absence() -> None:
    room = Room()
    room.at(150, "a")
    room.at(160)

    assert room.at(161).away_s("a") == 1


def test_the_link_is_not_asked_at_every_look() -> None:
    room = Room()

    for step in range(100):
        room.at(100 + step / 100)

    assert room.looks == 2


def test_a_stranger_is_nobodys_business() -> None:
    room = Room()

    assert room.at(101, "stranger").present == frozenset()
    assert room.told == []
