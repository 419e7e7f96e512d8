"""Asking several sites within a deadline, and reading only answers that fit the question."""

from __future__ import annotations

from pathlib import Path

import pytest
from flwr.app import Error, Message, RecordDict

from bs_common.architecture import initial_head
from bs_common.contract import MessageType
from bs_common.errors import ConnectionLost, ContractError
from bs_common.messages import Reply, Request
from bs_common.settings import StudySettings
from bs_server.federation.attendance import Attendance
from bs_server.federation.exchange import Answer, Exchange, NoAnswer, Patience, known_reason, silent
from bs_server.oversight.control import StopRequested
from support.fake_site import FakeLink, FakeWork, fake_app

SETTINGS = StudySettings(name="test", backbone="random:1", trainable="head", rounds=3)
SITES = ("aachen", "aalborg")
DESCRIBE = Request(MessageType.DESCRIBE, 0)
TRAIN = Request(MessageType.TRAIN, 2, initial_head(0))


def make_link(folder: Path) -> FakeLink:
    return FakeLink({name: fake_app(FakeWork(name, SETTINGS), "train", folder) for name in SITES})


def ask(link: FakeLink, request: Request, *, deadline_s: float = 0.1) -> dict[str, Answer]:
    return Exchange(link, SETTINGS, deadline_s=deadline_s).ask(request, SITES)


def test_every_site_answers_in_the_order_of_the_sites(tmp_path: Path) -> None:
    answers = ask(make_link(tmp_path), DESCRIBE, deadline_s=5)

    assert list(answers) == list(SITES)
    assert all(isinstance(answer, Reply) for answer in answers.values())


def test_each_answer_is_told_once_as_it_comes(tmp_path: Path) -> None:
    told: list[tuple[str, Answer]] = []
    exchange = Exchange(make_link(tmp_path), SETTINGS, deadline_s=5)

    answers = exchange.ask(DESCRIBE, SITES, answered=lambda *told_now: told.append(told_now))

    assert dict(told) == answers
    assert len(told) == 2


def test_a_silent_site_becomes_a_deadline_and_its_message_is_dropped(tmp_path: Path) -> None:
    class Silent(FakeLink):
        dropped: tuple[str, ...] = ()

        def receive(self, ticket: str) -> Message | None:
            return super().receive(ticket) if ticket == "1" else None

        def drop(self, ticket: str) -> None:
            self.dropped += (ticket,)

    link = Silent({n: fake_app(FakeWork(n, SETTINGS), "train", tmp_path) for n in SITES})

    answers = ask(link, DESCRIBE)

    assert isinstance(answers["aachen"], Reply)
    assert answers["aalborg"] == NoAnswer("deadline")
    assert link.dropped == ("2",)


class Reconnecting(FakeLink):
    """A link whose first message to aalborg is lost, as when that site is killed."""

    dropped: tuple[str, ...] = ()
    aalborg_connections = 1

    def connections(self, site: str) -> int:
        return self.aalborg_connections if site == "aalborg" else 1

    def receive(self, ticket: str) -> Message | None:
        if self.sent[int(ticket) - 1][0] == "aalborg" and self.aalborg_connections == 1:
            self.aalborg_connections = 2  # it is killed and comes back
            return None
        return super().receive(ticket)

    def drop(self, ticket: str) -> None:
        self.dropped += (ticket,)
        super().drop(ticket)


def test_a_site_that_comes_back_is_asked_again_and_the_lost_message_dropped(
    tmp_path: Path,
) -> None:
    link = Reconnecting({n: fake_app(FakeWork(n, SETTINGS), "train", tmp_path) for n in SITES})

    answers = ask(link, TRAIN, deadline_s=5)

    assert link.sent == [("aachen", "train"), ("aalborg", "train"), ("aalborg", "train")]
    assert link.dropped == ("2",)
    assert isinstance(answers["aalborg"], Reply)


def test_what_is_no_message_is_that_sites_answer_and_the_others_count(tmp_path: Path) -> None:
    class Garbled(FakeLink):
        def receive(self, ticket: str) -> Message | None:
            if ticket == "1":
                raise ContractError("unreadable", "not a message")
            return super().receive(ticket)

    link = Garbled({n: fake_app(FakeWork(n, SETTINGS), "train", tmp_path) for n in SITES})

    answers = ask(link, DESCRIBE, deadline_s=5)

    assert answers["aachen"] == NoAnswer("unreadable")
    assert isinstance(answers["aalborg"], Reply)


def change_config(reply: Message, key: str, value: int | str) -> Message:
    reply.content.config_records["config"][key] = value
    return reply


def test_an_answer_of_another_round_is_refused(tmp_path: Path) -> None:
    link = make_link(tmp_path)
    link.change = lambda _site, reply: change_config(reply, "round", 1)

    assert ask(link, TRAIN) == dict.fromkeys(SITES, NoAnswer("round"))


def test_an_answer_to_another_question_is_refused(tmp_path: Path) -> None:
    link = make_link(tmp_path)

    def as_finish(_site: str, reply: Message) -> Message:
        reply.metadata.__dict__["_message_type"] = MessageType.FINISH.value
        for record in ("metrics", "config"):
            for key in list(reply.content[record]):
                if key not in ("contract", "settings-sha256", "round", "hidden"):
                    del reply.content[record][key]
        return reply

    link.change = as_finish

    assert ask(link, DESCRIBE) == dict.fromkeys(SITES, NoAnswer("unknown_type"))


def test_an_answer_that_breaks_the_contract_becomes_the_broken_rule(tmp_path: Path) -> None:
    link = make_link(tmp_path)
    link.change = lambda _site, reply: change_config(reply, "note", "JOHN^DOE")

    assert ask(link, DESCRIBE) == dict.fromkeys(SITES, NoAnswer("unknown_key"))


def test_an_empty_answer_becomes_the_broken_rule(tmp_path: Path) -> None:
    link = make_link(tmp_path)
    link.change = lambda _site, reply: Message(RecordDict(), reply_to=reply)

    assert ask(link, DESCRIBE) == dict.fromkeys(SITES, NoAnswer("unknown_record"))


def test_a_sites_refusal_arrives_as_its_code(tmp_path: Path) -> None:
    link = make_link(tmp_path)
    link.change = lambda _site, reply: Message(Error(1, "small_cell"), reply_to=reply)

    assert ask(link, DESCRIBE) == dict.fromkeys(SITES, NoAnswer("small_cell"))


@pytest.mark.parametrize("code", ["internal", "small_cell", "E_VIEW", "a" * 32])
def test_a_short_code_is_a_known_reason(code: str) -> None:
    assert known_reason(code) == code


@pytest.mark.parametrize(
    "text",
    [None, "", "a" * 33, "JOHN DOE", "DOE^JOHN", "a\nb", "M\u00fcller", "a-b", "/home/x", "_"],
)
def test_any_other_text_of_a_site_is_not_repeated(text: str | None) -> None:
    assert known_reason(text) == "unreadable_reason"


def absent_after(away: set[str], *, away_s: float) -> Attendance:
    """Give an attendance in which these sites have been away for so long."""
    times = iter([0.0])
    return Attendance(
        lambda: frozenset(SITES) - away,
        SITES,
        told=silent,
        clock=lambda: next(times, away_s),
    )


def half_silent(folder: Path) -> FakeLink:
    link = make_link(folder)
    link.change = lambda site, reply: None if site == "aalborg" else reply
    return link


@pytest.mark.parametrize(("away", "reason"), [({"aalborg"}, "away"), (set(), "deadline")])
def test_the_reason_tells_a_site_that_is_away_from_one_that_is_slow(
    tmp_path: Path, away: set[str], reason: str
) -> None:
    attendance = absent_after(away, away_s=5)
    attendance.look()
    exchange = Exchange(half_silent(tmp_path), SETTINGS, deadline_s=0.1, attendance=attendance)

    assert exchange.ask(TRAIN, SITES)["aalborg"] == NoAnswer(reason)


def test_with_enough_answers_a_site_long_away_is_not_waited_for(tmp_path: Path) -> None:
    attendance = absent_after({"aalborg"}, away_s=60)
    attendance.look()
    exchange = Exchange(half_silent(tmp_path), SETTINGS, deadline_s=1000, attendance=attendance)
    patience = Patience(longest_s=1000, fewest=1, patience_s=1000, away_s=30)

    answers = exchange.ask(TRAIN, SITES, patience=patience)

    assert answers["aalborg"] == NoAnswer("away")
    assert isinstance(answers["aachen"], Reply)


@pytest.mark.parametrize(
    ("waited_s", "answered", "away_s", "over"),
    [
        (10, 0, [], True),
        (9, 1, [0, 0], False),
        (9, 2, [0], True),
        (3, 2, [0], False),
        (3, 2, [7], True),
        (3, 2, [7, 0], False),
        (9, 1, [7, 7], False),
    ],
)
def test_patience_ends_as_its_rules_say(
    waited_s: float, answered: int, away_s: list[float], over: bool
) -> None:
    patience = Patience(longest_s=10, fewest=2, patience_s=5, away_s=6)

    assert patience.is_over(waited_s, answered, away_s) is over


def test_a_wish_to_stop_ends_the_wait_and_forgets_the_messages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = half_silent(tmp_path)
    dropped: list[str] = []
    monkeypatch.setattr(link, "drop", dropped.append)

    def stop() -> None:
        raise StopRequested

    with pytest.raises(StopRequested):
        Exchange(link, SETTINGS, deadline_s=1000, pulse=stop).ask(TRAIN, SITES)
    assert dropped == ["2"]


def test_asking_and_answering_are_told_with_site_message_and_round(tmp_path: Path) -> None:
    told: list[tuple[str, object, object]] = []

    def hear(event: str, **facts: object) -> None:
        assert (facts["message"], facts["round"]) == ("train", 2)
        told.append((event, facts["site"], facts.get("reason")))

    Exchange(half_silent(tmp_path), SETTINGS, deadline_s=0.1, told=hear).ask(TRAIN, SITES)

    assert told == [
        ("asked", "aachen", None),
        ("asked", "aalborg", None),
        ("answered", "aachen", None),
        ("answered", "aalborg", "deadline"),
    ]


def test_a_site_that_has_not_come_to_this_process_yet_is_asked_when_it_comes(
    tmp_path: Path,
) -> None:
    class Restarted(FakeLink):
        looks = 0

        def connections(self, site: str) -> int:
            self.looks += 1
            return int(self.looks > 20)

        def send(self, site: str, message_type: str, content: RecordDict, *, group: str) -> str:
            if not self.connections(site):
                raise ConnectionLost("no such connection")
            return super().send(site, message_type, content, group=group)

    link = Restarted({n: fake_app(FakeWork(n, SETTINGS), "train", tmp_path) for n in SITES})

    answers = ask(link, DESCRIBE, deadline_s=10)

    assert all(isinstance(answer, Reply) for answer in answers.values())


def test_a_site_that_never_comes_is_waited_for_until_the_deadline(tmp_path: Path) -> None:
    class Nobody(FakeLink):
        def send(self, site: str, message_type: str, content: RecordDict, *, group: str) -> str:
            raise ConnectionLost("no such connection")

    answers = ask(Nobody({}), DESCRIBE)

    assert answers == dict.fromkeys(SITES, NoAnswer("deadline"))
