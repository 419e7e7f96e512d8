"""Messages as Flower's objects, with each array copied and hashed once; shared by the links.

Flower cuts a message into objects named by the SHA-256 of their bytes. Its own code joins and
hashes an array's bytes several times on each side; at 60 MB a message that is most of a round.
Written for flwr 1.41.
"""

from __future__ import annotations

import hashlib
import json

from flwr.app import Array, Message, RecordDict
from flwr.app.message.arraychunk import ArrayChunk
from flwr.common.constant import FLWR_PRIVATE_MAX_ARRAY_CHUNK_SIZE
from flwr.supercore.constant import HEAD_BODY_DIVIDER
from flwr.supercore.inflatable.inflatable_object import (
    InflatableObject,
    get_object_body,
    get_object_head_values_from_object_content,
)
from flwr.supercore.inflatable.inflatable_utils import inflate_object_from_contents
from flwr.supercore.task_identity import TaskIdentity

from bs_common.errors import ContractError

# Twice what the largest message of a study holds; an array may name one chunk many times.
MAX_MESSAGE_BYTES = 512 * 2**20
_IDS = "_piece_ids"  # where an array keeps them


def piece_ids(array: Array) -> tuple[str, ...]:
    """Give the ids of the pieces in which an array travels, computed once for all that follows.

    An id is the SHA-256 of a piece of at most 5 MiB, with Flower's head before it. For an array
    that came by `inflate_message` with `verified`, these are the ids that were verified.
    """
    known: tuple[str, ...]
    data, known = array.__dict__.get(_IDS, (None, ()))
    if data is not array.data:
        view = memoryview(array.data)
        starts = range(0, len(view), FLWR_PRIVATE_MAX_ARRAY_CHUNK_SIZE)
        chunks = [_Chunk(view[at : at + FLWR_PRIVATE_MAX_ARRAY_CHUNK_SIZE]) for at in starts]
        known = tuple(chunk.object_id for chunk in chunks)
        _remember(array, known)
        array.__dict__["_chunks"] = list(zip(known, chunks, strict=True))  # Flower's own cache
    return known


def _remember(array: Array, ids: tuple[str, ...]) -> None:
    array.__dict__[_IDS] = array.data, ids


def identify_process(*, run_id: int, task_id: int, node_id: int) -> None:
    """Say as whom this process makes messages; Flower makes none before that."""
    TaskIdentity.run_id, TaskIdentity.task_id, TaskIdentity.node_id = run_id, task_id, node_id


def hash_once(content: RecordDict) -> None:
    """Cut the content's arrays into pieces that know their object id, for all that follows."""
    for record in content.array_records.values():
        for array in record.values():
            piece_ids(array)


def inflate_message(
    message_id: str, contents: dict[str, bytes], *, verified: bool = False
) -> Message:
    """Put a message together from its objects.

    Parameters
    ----------
    contents : bytes of every object of the message, by object id.
    verified : whether each object's bytes were held against its id, so that this needs no
        second time.

    Raises
    ------
    ContractError
        `unreadable`: an object is missing or malformed, or the arrays are larger than any message.
    """
    try:
        arrays, ids = _join_arrays(contents)
        message = inflate_object_from_contents(message_id, contents, objects=dict(arrays))
    # Whatever a stranger's bytes can bring about inside Flower's parsing.
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        raise ContractError("unreadable", f"not a message ({type(error).__name__})") from error
    if not isinstance(message, Message):
        raise ContractError("unreadable", f"a {type(message).__name__} instead of a message")
    message.metadata.__dict__["_message_id"] = message_id
    if verified and message.has_content():
        for record in message.content.array_records.values():
            for array in record.values():  # Flower has made them anew, around the same bytes
                _remember(array, ids[id(array.data)])
    return message


class _Chunk(ArrayChunk):
    """Flower's chunk of an array, whose id is computed once and without a copy."""

    def __init__(self, data: memoryview) -> None:
        super().__init__(data)
        head = f"{ArrayChunk.__qualname__}  {len(data)}".encode()
        self._start = head + HEAD_BODY_DIVIDER
        sha256 = hashlib.sha256(self._start)
        sha256.update(data)
        self._id = sha256.hexdigest()

    @property
    def object_id(self) -> str:
        """SHA-256 of the deflated chunk."""
        return self._id

    def deflate(self) -> bytes:
        """Give head and data in Flower's form."""
        return b"".join((self._start, self.data))


def _join_arrays(
    contents: dict[str, bytes],
) -> tuple[dict[str, InflatableObject], dict[int, tuple[str, ...]]]:
    """Inflate every array straight from the bytes of its chunks.

    Returns
    -------
    Arrays by object id, and the ids of each array's pieces by the identity of its bytes.
    """
    arrays: dict[str, InflatableObject] = {}
    pieces: dict[int, tuple[str, ...]] = {}
    left = MAX_MESSAGE_BYTES
    for object_id, content in contents.items():
        kind, children, _ = get_object_head_values_from_object_content(content)
        if kind != Array.__qualname__:
            continue
        fields = json.loads(get_object_body(content, Array))
        ids = [children[index] for index in fields["arraychunk_ids"]]
        chunks = [_chunk_data(contents[chunk_id]) for chunk_id in ids]
        left -= sum(map(len, chunks))
        if left < 0:
            raise ContractError("unreadable", f"arrays of more than {MAX_MESSAGE_BYTES} bytes")
        array = Array(
            dtype=fields["dtype"],
            shape=tuple(fields["shape"]),
            stype=fields["stype"],
            data=b"".join(chunks),
        )
        arrays[object_id] = array
        pieces[id(array.data)] = tuple(ids)
    return arrays, pieces


def _chunk_data(content: bytes) -> memoryview:
    kind, _, length = get_object_head_values_from_object_content(content)
    start = content.index(HEAD_BODY_DIVIDER) + len(HEAD_BODY_DIVIDER)
    if kind != ArrayChunk.__qualname__ or len(content) - start != length:
        raise ContractError("unreadable", "an array whose parts are not chunks")
    return memoryview(content)[start:]
