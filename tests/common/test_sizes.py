"""The largest message of a study, against what Flower makes of one."""

from __future__ import annotations

import numpy as np
import pytest
from flwr.app import Message, RecordDict
from flwr.supercore.inflatable.inflatable_object import get_all_nested_objects
from flwr.supercore.task_identity import TaskIdentity

from bs_common.architecture import Trainable, array_shapes
from bs_common.contract import MessageType, most_compared
from bs_common.flower_objects import MAX_MESSAGE_BYTES
from bs_common.messages import Metric, Request, write_request
from bs_common.settings import StudySettings
from bs_common.sizes import LARGEST, MessageLimits, message_limits


def as_flower_sends(settings: StudySettings) -> MessageLimits:
    """Measure the largest request as objects on the wire, all of them different."""
    TaskIdentity.run_id, TaskIdentity.task_id, TaskIdentity.node_id = 1, 1, 1
    draw = np.random.default_rng(0)
    shapes = array_shapes(settings.trainable)
    models = [
        {name: draw.random(shape, np.float32) for name, shape in shapes.items()}
        for _ in range(1 + most_compared(settings))
    ]
    thresholds: dict[str, Metric] = {"compared-thresholds": [0.5] * (len(models) - 1)}
    request = Request(
        MessageType.EXTERNAL,
        1,
        models[0],
        thresholds if len(models) > 1 else {},
        tuple(models[1:]),
    )
    content: RecordDict = write_request(request, settings)
    objects = get_all_nested_objects(Message(content, 2, "query.external"))
    sizes = [len(found.deflate()) for found in objects.values()]
    return MessageLimits(len(sizes), max(sizes), sum(sizes))


@pytest.mark.parametrize("compared", [False, True])
@pytest.mark.parametrize("scope", ["head", "block5", "all"])
def test_a_true_message_fits_and_little_more_does(scope: Trainable, compared: bool) -> None:
    settings = StudySettings(name="sizes", trainable=scope, compare_local=compared)

    true, limits = as_flower_sends(settings), message_limits(settings)

    assert true.objects <= limits.objects <= true.objects + 8
    assert true.object_bytes <= limits.object_bytes <= true.object_bytes + 2**16
    assert true.message_bytes <= limits.message_bytes <= true.message_bytes + 2**17


def test_the_largest_study_compares_whole_networks() -> None:
    largest = StudySettings(name="a", trainable="all", compare_local=True)

    assert message_limits(largest) == LARGEST
    assert 4 * 4 * 14_978_370 < LARGEST.message_bytes < 256e6
    assert LARGEST.message_bytes < MAX_MESSAGE_BYTES / 2


@pytest.mark.parametrize(("scope", "most"), [("head", 7), ("block5", 7), ("all", 3)])
def test_so_many_models_fit_beside_the_study_s_own(scope: Trainable, most: int) -> None:
    agreed = StudySettings(name="a", trainable=scope, compare_local=True)

    assert most_compared(agreed) == most
    assert most_compared(agreed.model_copy(update={"compare_local": False})) == 0
