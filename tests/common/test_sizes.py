"""The largest message of a study, against what Flower makes of one."""

from __future__ import annotations

import numpy as np
import pytest
from flwr.app import Message, RecordDict
from flwr.supercore.inflatable.inflatable_object import get_all_nested_objects
from flwr.supercore.task_identity import TaskIdentity

from bs_common.architecture import Trainable, array_shapes
from bs_common.contract import MessageType
from bs_common.messages import Request, write_request
from bs_common.settings import StudySettings
from bs_common.sizes import LARGEST, MessageLimits, message_limits


def as_flower_sends(settings: StudySettings) -> MessageLimits:
    """Measure a train request as objects on the wire, all of them different."""
    TaskIdentity.run_id, TaskIdentity.task_id, TaskIdentity.node_id = 1, 1, 1
    draw = np.random.default_rng(0)
    arrays = {
        name: draw.random(shape, np.float32)
        for name, shape in array_shapes(settings.trainable).items()
    }
    content: RecordDict = write_request(Request(MessageType.TRAIN, 1, arrays), settings)
    objects = get_all_nested_objects(Message(content, 2, "train"))
    sizes = [len(found.deflate()) for found in objects.values()]
    return MessageLimits(len(sizes), max(sizes), sum(sizes))


@pytest.mark.parametrize("scope", ["head", "block5", "all"])
def test_a_true_message_fits_and_little_more_does(scope: Trainable) -> None:
    settings = StudySettings(name="sizes", trainable=scope)

    true, limits = as_flower_sends(settings), message_limits(settings)

    assert true.objects <= limits.objects <= true.objects + 8
    assert true.object_bytes <= limits.object_bytes <= true.object_bytes + 2**16
    assert true.message_bytes <= limits.message_bytes <= true.message_bytes + 2**17


def test_the_largest_study_sends_all_weights() -> None:
    assert message_limits(StudySettings(name="a", trainable="all")) == LARGEST
    assert LARGEST.message_bytes > 4 * 14_978_370
