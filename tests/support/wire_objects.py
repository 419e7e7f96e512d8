"""What sites pushed through a proxy, taken apart object by object with Flower's schema alone.

Flower sends a message as a tree of objects, each named by its SHA-256: a Message over a RecordDict
over records, an ArrayRecord over Arrays, an Array over its chunks of bytes.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from flwr.proto.message_pb2 import Message as ProtoMessage
from flwr.proto.message_pb2 import PushObjectRequest
from flwr.proto.recorddict_pb2 import ConfigRecord, MetricRecord

from support.tls_proxy import Exchanged

PUSH_OBJECT = "/v1/fleet/push-object"

Form = tuple[str, tuple[int, ...], int]  # dtype, shape, number of bytes


@dataclass(frozen=True, slots=True)
class WireObject:
    """One pushed object; `children` are the ids of the objects below it."""

    kind: str
    children: tuple[str, ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class WireReply:
    """One message of a site as the wire has it.

    arrays : form of every array by record and name, such as ``arrays/head_output/bias``.
    metrics, config : keys by record, such as ``metrics/loss``; a list of floats ends in ``[]``.
    """

    message_type: str
    arrays: Mapping[str, Form]
    metrics: frozenset[str]
    config: frozenset[str]


def pushed_objects(exchanged: Iterable[Exchanged]) -> dict[str, WireObject]:
    """Give every object that sites pushed, by id."""
    requests = [e.request for e in exchanged if e.request.path == PUSH_OBJECT]
    objects = {}
    for request in requests:
        pushed = PushObjectRequest.FromString(request.body)
        head, _, body = pushed.object_content.partition(b"\0")
        kind, children, length = head.decode("ascii").split(" ")
        if int(length) != len(body):
            raise ValueError(f"a {kind} of {len(body)} bytes says that it has {length}")
        below = tuple(children.split(",")) if children else ()
        objects[pushed.object_id] = WireObject(kind, below, body)
    return objects


def sent_replies(objects: Mapping[str, WireObject]) -> list[WireReply]:
    """Give every message of the pushed objects."""
    return [_reply(o, objects) for o in objects.values() if o.kind == "Message"]


def float32_form(shape: tuple[int, ...]) -> Form:
    """Give the form of a float32 array, which travels as numpy writes it to a .npy file."""
    content = io.BytesIO()
    np.save(content, np.zeros(shape, np.float32))
    return "float32", shape, len(content.getvalue())


def below_messages(objects: Mapping[str, WireObject]) -> set[str]:
    """Give the ids of all objects that are a message or belong to one."""
    found: set[str] = set()
    open_ids = [name for name, o in objects.items() if o.kind == "Message"]
    while open_ids:
        name = open_ids.pop()
        found.add(name)
        open_ids += objects[name].children
    return found


def _reply(message: WireObject, objects: Mapping[str, WireObject]) -> WireReply:
    arrays: dict[str, Form] = {}
    metrics: set[str] = set()
    config: set[str] = set()
    kind = ProtoMessage.FromString(message.body).metadata.message_type
    for content in message.children:
        for record, reference in json.loads(objects[content].body).items():
            found = objects[reference]
            if found.kind == "ArrayRecord":
                references = json.loads(found.body).items()
                arrays |= {f"{record}/{name}": _form(objects[a], objects) for name, a in references}
            elif found.kind == "MetricRecord":
                metrics |= {f"{record}/{key}" for key in _metric_keys(found.body)}
            else:
                items = ConfigRecord.FromString(found.body).items
                config |= {f"{record}/{item.key}" for item in items}
    return WireReply(kind, arrays, frozenset(metrics), frozenset(config))


def _form(array: WireObject, objects: Mapping[str, WireObject]) -> Form:
    said = json.loads(array.body)
    chunks = [objects[array.children[place]] for place in said["arraychunk_ids"]]
    return said["dtype"], tuple(said["shape"]), sum(len(chunk.body) for chunk in chunks)


def _metric_keys(body: bytes) -> list[str]:
    items = MetricRecord.FromString(body).items
    return [
        item.key + ("[]" if item.value.WhichOneof("value") == "double_list" else "")
        for item in items
    ]
