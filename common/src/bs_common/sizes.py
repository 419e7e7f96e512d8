"""How large a message of a study can be, so that neither side reads more from the other.

Flower sends a message as a tree of objects: the message, its records, the one array that holds the
weights, and its bytes in chunks of at most 5 MiB (`FLWR_PRIVATE_MAX_ARRAY_CHUNK_SIZE`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from bs_common.architecture import Shape
from bs_common.contract import MessageType, most_compared, reply_shapes, request_shapes
from bs_common.settings import StudySettings

CHUNK_BYTES = 5 * 2**20
NPY_HEADER_BYTES = 128  # numpy's header of a float32 array, padded to 64
_OBJECTS_WITHOUT_CHUNKS = 10  # message, dictionary, records, array, with some to spare
_OBJECTS_A_MODEL = 2  # its record and its array
# Texts, numbers, and what frames an object; the largest seen is 12 KiB.
OVERHEAD_BYTES = 64 * 2**10


@dataclass(frozen=True, slots=True)
class MessageLimits:
    """The largest message of a study, either way.

    objects : objects in its tree.
    object_bytes : bytes of one object, framing included.
    message_bytes : bytes of all its objects.
    """

    objects: int
    object_bytes: int
    message_bytes: int


def message_limits(settings: StudySettings) -> MessageLimits:
    """Give the limits that follow from the contract and the study's settings."""
    kinds = [
        shapes(kind, settings) for kind in MessageType for shapes in (request_shapes, reply_shapes)
    ]
    limits = [_limits(arrays) for arrays in kinds]
    if further := most_compared(settings):
        judged = request_shapes(MessageType.EXTERNAL, settings)
        limits.append(_limits(judged, models=1 + further))
    return MessageLimits(
        objects=max(limit.objects for limit in limits),
        object_bytes=max(limit.object_bytes for limit in limits),
        message_bytes=max(limit.message_bytes for limit in limits),
    )


def _limits(shapes: Mapping[str, Shape], models: int = 1) -> MessageLimits:
    weights = 4 * sum(math.prod(shape) for shape in shapes.values()) + NPY_HEADER_BYTES
    objects = _OBJECTS_WITHOUT_CHUNKS + models * math.ceil(weights / CHUNK_BYTES)
    objects += (models - 1) * _OBJECTS_A_MODEL
    return MessageLimits(
        objects=objects,
        object_bytes=min(weights, CHUNK_BYTES) + OVERHEAD_BYTES,
        message_bytes=models * weights + OVERHEAD_BYTES + 512 * objects,
    )


LARGEST = message_limits(StudySettings(name="any", trainable="all", compare_local=True))
