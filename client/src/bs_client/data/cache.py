"""Arrays kept on disk under a digest of everything they were computed from.

An entry is a plain `.npy` file with a checksum behind it. What does not fit its checksum is
removed and computed again, so a full disk or a power cut costs time and never a wrong number.
"""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bs_common.files import write_atomic

Array = NDArray[np.float32]

CHECKSUM_BYTES = hashlib.sha256().digest_size


def feature_key(
    pixel_sha256: str,
    *,
    preprocessing: str,
    view_height: int,
    view_width: int,
    backbone_digest: str,
    boundary: str,
    flipped: bool,
) -> str:
    """Give the key of one scan's features: the SHA-256 of all that decides their values.

    Parameters
    ----------
    pixel_sha256 : digest of the scan's counts.
    preprocessing, view_height, view_width : profile and size, as in the study settings.
    backbone_digest : digest of the frozen arrays.
    boundary : the layer whose output is kept and the arithmetic, such as "block5_pool/float32".
    flipped : whether the input was flipped along the vertical axis.
    """
    # A list in JSON, so that no two different sets of parts give the same text.
    size = [view_height, view_width]
    parts = [pixel_sha256, preprocessing, size, backbone_digest, boundary, flipped]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


class ArrayCache:
    """A folder of float32 arrays by key; made if missing, readable by its owner alone.

    Several processes may share the folder: an entry appears whole or not at all.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder

    def get(self, key: str) -> Array | None:
        """Give the array put under `key`, bit for bit, or None where there is none (any more)."""
        path = self._path(key)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        payload, checksum = content[:-CHECKSUM_BYTES], content[-CHECKSUM_BYTES:]
        if _checksum(key, payload) != checksum:
            path.unlink(missing_ok=True)
            return None
        array: Array = np.load(io.BytesIO(payload), allow_pickle=False)
        return array

    def put(self, key: str, array: Array) -> None:
        """Keep `array`; raises OSError as the system gives it (no space, read-only)."""
        buffer = io.BytesIO()
        np.save(buffer, array, allow_pickle=False)
        payload = buffer.getvalue()
        write_atomic(self._path(key), payload + _checksum(key, payload), mode=0o600)

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.npy"


def _checksum(key: str, payload: bytes) -> bytes:
    # The key is part of it: a file renamed to another key is a wrong file, too.
    return hashlib.sha256(key.encode() + payload).digest()
