"""Named weight arrays on disk, as a digest, and inside a Flower message."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

import numpy as np
from flwr.app import Array, ArrayRecord
from numpy.lib.format import write_array_header_1_0
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from bs_common.architecture import NamedArrays, Shape
from bs_common.errors import ContractError, TrustError
from bs_common.files import write_atomic


def digest(arrays: NamedArrays) -> str:
    """Give the SHA-256 over names, shapes and little-endian float32 bytes, in the given order."""
    total = hashlib.sha256()
    for name, array in arrays.items():
        total.update(f"{name}{array.shape}".encode())
        total.update(np.ascontiguousarray(array, dtype="<f4").data)
    return total.hexdigest()


def write_weights(path: Path, arrays: NamedArrays) -> None:
    """Write the arrays as safetensors, atomically."""
    write_atomic(path, save({name: np.ascontiguousarray(a) for name, a in arrays.items()}))


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


def to_record(arrays: NamedArrays) -> ArrayRecord:
    """Put the arrays into a Flower record, in order."""
    return ArrayRecord({name: Array(np.ascontiguousarray(a)) for name, a in arrays.items()})


def from_record(record: ArrayRecord, shapes: Mapping[str, Shape]) -> NamedArrays:
    """Take exactly the expected arrays out of a Flower record.

    Raises
    ------
    ContractError
        `array_names`, `array_dtype`, `array_shape`, `array_bytes` (bytes beyond the array itself,
        fewer, or another header than numpy writes) or `not_finite`.
    """
    if list(record) != list(shapes):
        raise ContractError("array_names", f"{len(record)} arrays, not the {len(shapes)} agreed on")
    return {name: _to_numpy(name, record[name], shape) for name, shape in shapes.items()}


def _to_numpy(name: str, array: Array, shape: Shape) -> NDArray[np.float32]:
    if array.dtype != "float32" or array.stype != "numpy.ndarray":
        raise ContractError("array_dtype", f"{name}: not a float32 numpy array")
    if tuple(array.shape) != shape:
        raise ContractError("array_shape", f"{name}: {tuple(array.shape)}, expected {shape}")
    header = _npy_header(shape)
    if len(array.data) != len(header) + 4 * math.prod(shape):
        raise ContractError("array_bytes", f"{name}: {len(array.data)} bytes do not fit {shape}")
    if not array.data.startswith(header):
        raise ContractError("array_bytes", f"{name}: not the header of a {shape} float32 array")
    values = np.frombuffer(array.data, "<f4", offset=len(header)).reshape(shape)
    if not np.isfinite(values).all():
        raise ContractError("not_finite", f"{name}: holds NaN or infinity")
    return values.astype(np.float32)


def _npy_header(shape: Shape) -> bytes:
    """Give what numpy writes before the bytes of a float32 array.

    Comparing it leaves nothing to parse: `numpy.load` follows a header into zip files and Python
    literals, where words can hide.
    """
    header = BytesIO()
    write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return header.getvalue()
