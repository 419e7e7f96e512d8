"""Message types to pieces of work."""

from __future__ import annotations

from pathlib import Path
from threading import Event

import numpy as np
import pytest
from flwr.app import Context, Message, RecordDict
from flwr.supercore.task_identity import TaskIdentity

from bs_common.architecture import NamedArrays, initial_head
from bs_common.contract import MessageType, requests_of
from bs_common.messages import Request, read_reply, write_request
from bs_common.settings import Role, StudySettings
from support.fake_site import FakeWork, fake_app

SETTINGS = StudySettings(name="test", backbone="random:1", trainable="head", rounds=3)
ROLES: dict[Role, str] = {"train": "aachen", "evaluate": "namur"}


def ask(folder: Path, role: Role, kind: MessageType, arrays: NamedArrays) -> Message:
    TaskIdentity.run_id, TaskIdentity.task_id, TaskIdentity.node_id = 1, 1, 1
    app = fake_app(FakeWork(ROLES[role], SETTINGS), role, folder, finished=Event())
    message = Message(write_request(Request(kind, 2, arrays), SETTINGS), 2, kind.value)
    return app(message, Context(1, 2, {}, RecordDict(), {}))


@pytest.mark.parametrize("role", list(ROLES))
def test_every_question_of_a_role_has_its_piece_of_work(tmp_path: Path, role: Role) -> None:
    for kind in requests_of(role, SETTINGS):
        model = kind in (MessageType.TRAIN, MessageType.EVALUATE, MessageType.EXTERNAL)

        message = ask(tmp_path, role, kind, initial_head(0) if model else {})

        reply = read_reply(kind.value, message.content, SETTINGS)
        assert (reply.message_type, reply.round_number) == (kind, 2)


def test_the_weights_that_were_sent_are_the_ones_worked_on(tmp_path: Path) -> None:
    sent = initial_head(7)

    message = ask(tmp_path, "train", MessageType.TRAIN, sent)

    trained = read_reply("train", message.content, SETTINGS).arrays
    for name, array in sent.items():
        assert np.array_equal(trained[name], array + np.float32(0.25))
