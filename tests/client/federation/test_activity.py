"""What may be told of a site's work, and how the work is ended."""

from __future__ import annotations

from pathlib import Path
from threading import Event

import pytest
from flwr.app import Context, Message, RecordDict
from flwr.supercore.task_identity import TaskIdentity

from bs_client.federation.activity import Activity
from bs_client.interruption import Interrupted
from bs_common.contract import MessageType, Phase
from bs_common.messages import Request, read_reply, write_request
from bs_common.settings import StudySettings
from support.fake_site import FakeWork, fake_app

SETTINGS = StudySettings(name="test", backbone="random:1", trainable="head", rounds=3)


def told(activity: Activity, done: int, total: int) -> tuple[str, int]:
    activity.steps(Phase.TRAINING, "steps")(done, total)
    return activity.now.phase, activity.now.percent


@pytest.mark.parametrize(
    ("done", "total", "percent"), [(0, 20, 0), (19, 20, 90), (20, 20, 100), (123, 1000, 10)]
)
def test_progress_is_told_in_whole_tenths(done: int, total: int, percent: int) -> None:
    assert told(Activity(), done, total) == ("training", percent)


def test_the_number_of_a_few_steps_cannot_be_told_from_their_progress() -> None:
    for total in range(1, 20):
        seen = {told(Activity(), done, total)[1] for done in range(total + 1)}
        assert seen == {0}


@pytest.mark.parametrize("end", ["stop", "abandon"])
def test_work_ends_at_its_next_step(end: str) -> None:
    stop = Event()
    activity = Activity(stop)
    steps = activity.steps(Phase.SCORING, "scores")
    steps(1, 2)

    stop.set() if end == "stop" else activity.abandon()

    with pytest.raises(Interrupted):
        steps(2, 2)


def test_a_wish_to_abandon_is_for_the_work_in_hand_alone() -> None:
    activity = Activity()
    activity.abandon()

    activity.begin()

    assert told(activity, 5, 10) == ("training", 0)


def test_progress_passes_the_gate_as_an_answer_of_the_contract(tmp_path: Path) -> None:
    TaskIdentity.run_id, TaskIdentity.task_id, TaskIdentity.node_id = 1, 1, 1
    work = FakeWork("aachen", SETTINGS)
    work.activity.steps(Phase.FEATURES, "features")(60, 100)
    kind = MessageType.PROGRESS
    message = Message(write_request(Request(kind, 2), SETTINGS), 2, kind.value)

    answer = fake_app(work, "train", tmp_path)(message, Context(1, 2, {}, RecordDict(), {}))

    reply = read_reply(kind.value, answer.content, SETTINGS)
    assert (reply.texts, reply.metrics) == ({"phase": "features"}, {"percent": 60})
