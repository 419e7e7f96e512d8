"""Messages as Flower's objects: the same objects as Flower makes, and no trust in a stranger's."""

from __future__ import annotations

import json

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.common.constant import FLWR_PRIVATE_MAX_ARRAY_CHUNK_SIZE as CHUNK
from flwr.supercore.inflatable.inflatable_object import (
    add_header_to_object_body,
    get_all_nested_objects,
    get_object_id,
)
from flwr.supercore.task_identity import TaskIdentity

from bs_common.content import measure
from bs_common.errors import ContractError
from bs_common.flower_objects import MAX_MESSAGE_BYTES, hash_once, inflate_message, piece_ids


@pytest.fixture(autouse=True)
def coordinator() -> None:
    """Flower asks who speaks before it makes a message."""
    TaskIdentity.run_id, TaskIdentity.task_id, TaskIdentity.node_id = 1, 1, 1


def content(length: int) -> RecordDict:
    values = np.random.default_rng(length).normal(size=length).astype(np.float32)
    arrays = ArrayRecord({"weights": Array(values), "zeros": Array(np.zeros(length, np.float32))})
    return RecordDict(
        {"arrays": arrays, "metrics": MetricRecord({"loss": 0.5}), "config": ConfigRecord()}
    )


def objects_of(message: Message) -> dict[str, bytes]:
    return {name: held.deflate() for name, held in get_all_nested_objects(message).items()}


@pytest.mark.parametrize("length", [1, 1000, CHUNK // 4, CHUNK // 2 + 7])
def test_an_array_hashed_once_becomes_the_objects_that_flower_makes_of_it(length: int) -> None:
    plain, once = content(length), content(length)
    hash_once(once)

    by_flower = {n: o.deflate() for n, o in get_all_nested_objects(plain).items()}
    assert {n: o.deflate() for n, o in get_all_nested_objects(once).items()} == by_flower
    assert all(get_object_id(data) == name for name, data in by_flower.items())


@pytest.mark.parametrize("length", [1, 1000, CHUNK // 2 + 7])
def test_a_message_comes_together_from_its_objects(length: int) -> None:
    sent = Message(content(length), 2, "train", group_id="3")

    received = inflate_message(sent.object_id, objects_of(sent))

    arrays = received.content.array_records["arrays"]
    assert received.metadata.group_id == "3"
    assert received.metadata.message_id == sent.object_id
    for name, array in sent.content.array_records["arrays"].items():
        assert (arrays[name].dtype, arrays[name].shape) == (array.dtype, array.shape)
        assert arrays[name].data == array.data


@pytest.mark.parametrize("verified", [False, True])
@pytest.mark.parametrize("length", [1, CHUNK // 2 + 7])
def test_both_ends_measure_the_same_content(length: int, verified: bool) -> None:
    sent = Message(content(length), 2, "train")
    objects = objects_of(sent)

    received = inflate_message(sent.object_id, objects, verified=verified)

    assert measure(received.content) == measure(sent.content) == measure(content(length))


def test_what_was_verified_is_not_hashed_again_until_it_changes() -> None:
    sent, other = Message(content(1000), 2, "train"), np.zeros(3, np.float32).tobytes()
    received = inflate_message(sent.object_id, objects_of(sent), verified=True)
    array = received.content.array_records["arrays"]["weights"]
    ids = piece_ids(array)

    assert piece_ids(array) is ids
    array.data = other
    assert piece_ids(array) == piece_ids(Array("float32", (3,), "numpy.ndarray", other))


def test_whoever_did_not_verify_measures_what_came_and_not_what_it_is_called() -> None:
    sent = Message(content(1000), 2, "train")
    objects = objects_of(sent)
    altered = {
        name: data[:-1] + bytes([data[-1] ^ 1]) if data.startswith(b"ArrayChunk") else data
        for name, data in objects.items()
    }

    received = inflate_message(sent.object_id, altered)

    assert measure(received.content) != measure(sent.content)


def test_a_missing_object_is_a_refusal() -> None:
    sent = Message(content(10), 2, "train")
    for name in objects_of(sent):
        held = objects_of(sent)
        del held[name]

        with pytest.raises(ContractError) as refused:
            inflate_message(sent.object_id, held)
        assert refused.value.reason == "unreadable"


def test_an_object_that_is_no_message_is_a_refusal() -> None:
    held = content(10)
    objects = {n: o.deflate() for n, o in get_all_nested_objects(held).items()}

    with pytest.raises(ContractError, match="RecordDict instead of a message"):
        inflate_message(held.object_id, objects)


@pytest.mark.parametrize("change", [b"", b"x", b"Array \0{}", b"ArrayChunk  5\0abc", b"\0\0\0"])
def test_an_object_of_other_bytes_is_a_refusal(change: bytes) -> None:
    sent = Message(content(10), 2, "train")
    for name in objects_of(sent):
        with pytest.raises(ContractError):
            inflate_message(sent.object_id, {**objects_of(sent), name: change})


def test_an_array_that_names_one_chunk_very_often_is_refused_before_it_is_joined() -> None:
    array = Array(np.zeros(1000, np.float32))
    (chunk,) = array.children
    times = MAX_MESSAGE_BYTES // 4000 + 1
    body = {"dtype": "float32", "shape": [1], "stype": "numpy.ndarray", "arraychunk_ids": [0]}
    bomb = add_header_to_object_body(
        json.dumps({**body, "arraychunk_ids": [0] * times}).encode(), array
    )

    with pytest.raises(ContractError, match="more than"):
        inflate_message("0" * 64, {"0" * 64: bomb, chunk: array.children[chunk].deflate()})
