"""Named weight arrays on disk, as a digest, and as the one vector of a Flower message."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

import numpy as np
from flwr.app import Array, ArrayRecord
from numpy.lib.format import write_array_header_1_0
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load

from bs_common.architecture import NamedArrays, Shape
from bs_common.errors import ContractError, TrustError
from bs_common.files import write_atomic

VECTOR = "weights"  # the one array of a message, in the order that `architecture` gives


def digest(arrays: NamedArrays) -> str:
    """Give the SHA-256 over names, shapes and little-endian float32 bytes, in the given order."""
    total = hashlib.sha256()
    for name, array in arrays.items():
        total.update(f"{name}{array.shape}".encode())
        total.update(np.ascontiguousarray(array, dtype="<f4").data)
    return total.hexdigest()


def write_weights(path: Path, arrays: NamedArrays) -> None:
    """Write the arrays as safetensors, atomically."""
    write_atomic(path, *safetensors_pieces(arrays))


def safetensors_pieces(
    arrays: NamedArrays, metadata: Mapping[str, str] | None = None
) -> list[bytes | memoryview]:
    """Give a safetensors file piece by piece, each array's bytes as they lie in memory.

    The library's own `save` copies all numbers twice, and its `save_file` hides what the disk said.
    Format: length of the header, the header as JSON, the bytes of the arrays one after another
    (https://huggingface.co/docs/safetensors, "Format").

    Parameters
    ----------
    arrays : written as float32.
    metadata : texts of the header.
    """
    header: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    pieces: list[bytes | memoryview] = []
    start = 0
    for name, array in arrays.items():
        data = np.ascontiguousarray(array, "<f4").reshape(-1)
        end = start + data.nbytes
        header[name] = {"dtype": "F32", "shape": array.shape, "data_offsets": [start, end]}
        pieces.append(data.data.cast("B"))
        start = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the arrays begin at a multiple of eight
    return [len(text).to_bytes(8, "little"), text, *pieces]


def read_weights(path: Path, shapes: Mapping[str, Shape]) -> NamedArrays:
    """Read arrays that `write_weights` wrote, in the order of `shapes`.

    Raises TrustError if the file is absent, damaged or does not hold exactly these float32 arrays.
    """
    try:
        found = load(path.read_bytes())
    except (OSError, SafetensorError) as error:
        raise TrustError(f"{path.name}: not a readable weights file ({error})") from error
    matches = {n: a.shape for n, a in found.items()} == dict(shapes) and all(
        a.dtype == np.float32 for a in found.values()
    )
    if not matches:
        raise TrustError(f"{path.name}: does not hold this study's {len(shapes)} float32 arrays")
    return {name: found[name] for name in shapes}


def to_record(arrays: NamedArrays, shapes: Mapping[str, Shape]) -> ArrayRecord:
    """Put exactly the expected arrays into a Flower record: one vector, in the order of `shapes`.

    Flower moves an array as two objects or more, each with a request of its own; one vector keeps
    their number small and leaves nothing to choose but its numbers.

    Raises
    ------
    ContractError
        `array_names`, `array_dtype` or `array_shape`.
    """
    if list(arrays) != list(shapes):
        raise ContractError("array_names", f"{len(arrays)} arrays, not the {len(shapes)} agreed on")
    for name, array in arrays.items():
        if array.dtype != np.dtype("<f4"):
            raise ContractError("array_dtype", f"{name}: {array.dtype}, expected float32")
        if array.shape != shapes[name]:
            raise ContractError("array_shape", f"{name}: {array.shape}, expected {shapes[name]}")
    length = _length(shapes)
    parts = [np.ascontiguousarray(array).reshape(-1).data for array in arrays.values()]
    data = b"".join((_npy_header(length), *parts))
    return ArrayRecord({VECTOR: Array("float32", (length,), "numpy.ndarray", data)})


def same_record(record: ArrayRecord) -> ArrayRecord:
    """Write a record that `from_record` has taken once more, without copying its numbers."""
    held = record[VECTOR]
    return ArrayRecord({VECTOR: Array(held.dtype, held.shape, held.stype, held.data)})


def from_record(record: ArrayRecord, shapes: Mapping[str, Shape]) -> NamedArrays:
    """Take exactly the expected arrays out of a Flower record, as read-only views of its vector.

    Raises
    ------
    ContractError
        `array_names`, `array_dtype`, `array_shape`, `array_bytes` (bytes beyond the vector itself,
        fewer, or another header than numpy writes) or `not_finite`.
    """
    if list(record) != [VECTOR]:
        raise ContractError("array_names", f"{len(record)} arrays, expected '{VECTOR}' alone")
    vector = _to_numpy(record[VECTOR], _length(shapes))
    arrays, start = {}, 0
    for name, shape in shapes.items():
        end = start + math.prod(shape)
        arrays[name] = vector[start:end].reshape(shape)
        start = end
    return arrays


def _to_numpy(array: Array, length: int) -> NDArray[np.float32]:
    if array.dtype != "float32" or array.stype != "numpy.ndarray":
        raise ContractError("array_dtype", f"{VECTOR}: not a float32 numpy array")
    if tuple(array.shape) != (length,):
        raise ContractError("array_shape", f"{VECTOR}: {tuple(array.shape)}, expected ({length},)")
    header = _npy_header(length)
    if len(array.data) != len(header) + 4 * length:
        raise ContractError(
            "array_bytes", f"{VECTOR}: {len(array.data)} bytes for {length} numbers"
        )
    if not array.data.startswith(header):
        raise ContractError("array_bytes", f"{VECTOR}: not the header of {length} float32 numbers")
    values = np.frombuffer(array.data, "<f4", offset=len(header))
    if not np.isfinite(values).all():
        raise ContractError("not_finite", f"{VECTOR}: holds NaN or infinity")
    return values.astype(np.float32, copy=False)


def _length(shapes: Mapping[str, Shape]) -> int:
    return sum(math.prod(shape) for shape in shapes.values())


def _npy_header(length: int) -> bytes:
    """Give what numpy writes before the bytes of a float32 vector.

    Comparing it leaves nothing to parse: `numpy.load` follows a header into zip files and Python
    literals, where words can hide.
    """
    header = BytesIO()
    write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (length,)})
    return header.getvalue()
