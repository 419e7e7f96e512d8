"""What a message carries, as both parties' audit logs name it: keys, size and SHA-256."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from flwr.app import Array, RecordDict

from bs_common.flower_objects import piece_ids


@dataclass(frozen=True, slots=True)
class Measured:
    """Names of what a message carries, its bytes, and a digest of all of it."""

    keys: tuple[str, ...]
    size_bytes: int
    sha256: str


def measure(content: RecordDict) -> Measured:
    """Measure a message's content; both ends of the wire give the same.

    The digest is over record names, keys, lengths and values, in the order of their names. An
    array counts with the digests of the pieces in which it travels, which are computed anyway.
    """
    total, size = hashlib.sha256(), 0
    keys = []
    for name, record in sorted(content.items()):
        for key, value in sorted(record.items()):
            if isinstance(value, Array):
                length, data = len(value.data), "".join(piece_ids(value)).encode()
            else:
                data = _text(value).encode()
                length = len(data)
            total.update(f"{name}\x1f{key}\x1f{length}\x1f".encode())
            total.update(data)
            size += length
            keys.append(f"{name}.{key}")
    return Measured(tuple(keys), size, total.hexdigest())


NOTHING = measure(RecordDict())  # what an answer carries that is only a code


def _text(value: object) -> str:
    # Bytes are no part of any message here, yet a stranger's request may hold some.
    return json.dumps(value, default=bytes.hex)
