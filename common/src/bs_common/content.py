"""What a message carries, as both parties' audit logs name it: keys, size and SHA-256."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from flwr.app import Array, RecordDict


@dataclass(frozen=True, slots=True)
class Measured:
    """Names of what a message carries, its bytes, and a digest of all of it."""

    keys: tuple[str, ...]
    size_bytes: int
    sha256: str


def measure(content: RecordDict) -> Measured:
    """Measure a message's content; both ends of the wire give the same.

    The digest is over record names, keys, lengths and values, in the order of their names.
    """
    total, size = hashlib.sha256(), 0
    keys = []
    for name, record in sorted(content.items()):
        for key, value in sorted(record.items()):
            data = value.data if isinstance(value, Array) else _text(value).encode()
            total.update(f"{name}\x1f{key}\x1f{len(data)}\x1f".encode())
            total.update(data)
            size += len(data)
            keys.append(f"{name}.{key}")
    return Measured(tuple(keys), size, total.hexdigest())


NOTHING = measure(RecordDict())  # what an answer carries that is only a code


def _text(value: object) -> str:
    # Bytes are no part of any message here, yet a stranger's request may hold some.
    return json.dumps(value, default=bytes.hex)
