"""Long work beside the connection: what is worked on, what is dropped, what is abandoned."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event

import pytest
from flwr.app import Message, RecordDict
from flwr.supercore.task_identity import TaskIdentity

from bs_client.federation.activity import Activity
from bs_client.federation.desk import Desk
from bs_common.contract import Phase

pytestmark = pytest.mark.timeout(30)


def ask(kind: str, group: str = "1") -> Message:
    TaskIdentity.run_id, TaskIdentity.task_id, TaskIdentity.node_id = 1, 1, 1
    return Message(RecordDict(), 2, kind, group_id=group)


class Site:
    """Work that takes until it is let go, and notes what it was asked."""

    def __init__(self) -> None:
        self.activity = Activity()
        self.go, self.started = Event(), Event()
        self.began: list[str] = []
        self.finished: list[str] = []

    def handle(self, message: Message) -> Message:
        group = message.metadata.group_id
        self.began.append(group)
        if message.metadata.message_type != "query.describe":
            self.started.set()
            steps = self.activity.steps(Phase.TRAINING, "steps")
            while not self.go.wait(0.005):
                steps(0, 1)
        self.finished.append(group)
        return Message(RecordDict(), reply_to=message)

    @contextmanager
    def at_work(self) -> Iterator[Desk]:
        desk = Desk(self.handle, quick=frozenset({"query.describe"}), activity=self.activity)
        with desk:
            yield desk


def next_reply(desk: Desk) -> Message:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        if (reply := desk.reply(0.1)) is not None:
            return reply
    raise AssertionError("no reply")


def settle(desk: Desk) -> list[Message]:
    """Wait until nothing is in hand, and give the replies that came."""
    replies = []
    while desk.busy:
        if (reply := desk.reply(0.1)) is not None:
            replies.append(reply)
    return replies


def test_a_small_question_is_answered_while_long_work_goes_on() -> None:
    site = Site()
    with site.at_work() as desk:
        assert desk.take(ask("train")) is None
        site.started.wait(5)

        described = desk.take(ask("query.describe", "0"))

        assert described is not None
        assert desk.busy
        site.go.set()
        assert next_reply(desk).metadata.group_id == "1"
    assert not desk.busy


def test_the_reply_belongs_to_its_own_request() -> None:
    site = Site()
    site.go.set()
    first = ask("train")
    with site.at_work() as desk:
        desk.take(first)

        assert next_reply(desk).metadata.reply_to_message_id == first.metadata.message_id


def test_a_question_asked_again_over_a_new_connection_waits_for_the_work_in_hand() -> None:
    site = Site()
    again = ask("train")
    with site.at_work() as desk:
        desk.take(ask("train"))
        site.started.wait(5)
        desk.connected_anew()
        desk.take(again)
        site.go.set()

        replies = settle(desk)

    assert site.finished == ["1", "1"]  # nothing was interrupted; the first had nobody to go to
    assert [r.metadata.reply_to_message_id for r in replies] == [again.metadata.message_id]


def test_another_question_ends_the_work_that_nobody_waits_for() -> None:
    site = Site()
    with site.at_work() as desk:
        desk.take(ask("train", "3"))
        site.started.wait(5)
        desk.take(ask("train", "4"))
        while "4" not in site.began:
            time.sleep(0.005)
        site.go.set()

        replies = settle(desk)

    assert site.finished == ["4"]
    assert [reply.metadata.group_id for reply in replies] == ["4"]


def test_what_lay_waiting_when_another_question_came_is_not_begun() -> None:
    site = Site()
    with site.at_work() as desk:
        desk.take(ask("train", "3"))
        site.started.wait(5)
        for group in ("3", "3", "4"):
            desk.take(ask("train", group))
        site.go.set()
        settle(desk)

    assert site.began == ["3", "4"]


def test_an_error_of_the_work_reaches_the_one_who_waits() -> None:
    def broken(message: Message) -> Message:
        raise OSError("no space")

    with Desk(broken, activity=Activity()) as desk:
        desk.take(ask("train"))
        with pytest.raises(OSError, match="no space"):
            next_reply(desk)


def test_leaving_ends_the_work_in_hand() -> None:
    site = Site()
    with site.at_work() as desk:
        desk.take(ask("train"))
        site.started.wait(5)

    assert site.finished == []
