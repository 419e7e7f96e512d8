"""Named arrays on disk, as a digest, and inside a Flower message."""

from __future__ import annotations

import hashlib
import pickle
import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import save

from bs_common.architecture import NamedArrays, Shape
from bs_common.errors import ContractError, TrustError
from bs_common.weights import (
    digest,
    from_record,
    read_weights,
    safetensors_pieces,
    to_record,
    write_weights,
)

SHAPES: dict[str, Shape] = {"a/kernel": (3, 2), "a/bias": (2,)}
FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False)


def arrays() -> NamedArrays:
    return {
        "a/kernel": np.arange(6, dtype=np.float32).reshape(3, 2) / np.float32(7),
        "a/bias": np.array([-0.0, 3e-45], np.float32),  # a negative zero, a denormal
    }


def npy(array: np.ndarray, *, pickled: bool = False) -> bytes:
    file = BytesIO()
    np.save(file, array, allow_pickle=pickled)
    return file.getvalue()


def vector() -> np.ndarray:
    """What travels of `arrays`: kernel, then bias, row by row."""
    return np.concatenate([array.ravel() for array in arrays().values()])


def record_of(held: np.ndarray, name: str = "weights") -> ArrayRecord:
    """A record as Flower makes it of any array."""
    return ArrayRecord({name: Array(held)})


def record_with(data: bytes) -> ArrayRecord:
    """A record whose bytes are not what `to_record` would have made of the vector."""
    return ArrayRecord({"weights": Array("float32", (8,), "numpy.ndarray", data)})


def refusal_of(held: NamedArrays) -> str:
    with pytest.raises(ContractError) as refused:
        to_record(held, SHAPES)
    return refused.value.reason


def reason_of(record: ArrayRecord) -> str:
    with pytest.raises(ContractError) as refused:
        from_record(record, SHAPES)
    return refused.value.reason


def same_bytes(one: NamedArrays, other: NamedArrays) -> bool:
    return list(one) == list(other) and all(one[n].tobytes() == other[n].tobytes() for n in one)


def test_weights_come_back_from_disk_bit_for_bit_and_in_order(tmp_path: Path) -> None:
    write_weights(tmp_path / "w", arrays())

    assert same_bytes(read_weights(tmp_path / "w", SHAPES), arrays())


def test_the_library_reads_the_file_with_its_metadata(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(b"".join(safetensors_pieces(arrays(), {"head": "täglich"})))

    with safe_open(path, framework="numpy") as file:
        assert file.metadata() == {"head": "täglich"}
        found = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping

    assert digest({name: found[name] for name in arrays()}) == digest(arrays())


def test_a_file_without_arrays_is_what_the_library_writes() -> None:
    assert b"".join(safetensors_pieces({})) == save({})


def test_a_cut_or_foreign_weights_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "w"
    write_weights(path, arrays())
    whole = path.read_bytes()

    for content in (whole[:-1], whole[:5], b"", b"not weights at all", whole + b"\0"):
        path.write_bytes(content)
        with pytest.raises(TrustError, match="not a readable weights file"):
            read_weights(path, SHAPES)


def test_an_absent_weights_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrustError, match="not a readable weights file"):
        read_weights(tmp_path / "w", SHAPES)


@pytest.mark.parametrize(
    "held",
    [
        {"a/kernel": np.zeros((3, 2), np.float32)},
        {**arrays(), "b": np.zeros(1, np.float32)},
        {**arrays(), "a/bias": np.zeros(3, np.float32)},
        {**arrays(), "a/bias": np.zeros(2, np.float64)},
        {**arrays(), "a/bias": np.zeros(2, np.float16)},
    ],
)
def test_a_file_with_other_arrays_is_refused(tmp_path: Path, held: NamedArrays) -> None:
    (tmp_path / "w").write_bytes(save(held))

    with pytest.raises(TrustError, match="does not hold this study's 2 float32 arrays"):
        read_weights(tmp_path / "w", SHAPES)


def test_the_digest_is_the_hash_of_names_shapes_and_bytes() -> None:
    by_hand = hashlib.sha256(b"w(2,)" + bytes.fromhex("0000803f000000c0")).hexdigest()

    assert digest({"w": np.array([1.0, -2.0], np.float32)}) == by_hand


def test_the_digest_tells_a_changed_bit_name_shape_or_order() -> None:
    start = arrays()
    changed = {**start, "a/bias": np.array([0.0, 3e-45], np.float32)}
    renamed = {"b/kernel": start["a/kernel"], "a/bias": start["a/bias"]}
    turned = {**start, "a/kernel": start["a/kernel"].reshape(2, 3)}
    swapped = dict(reversed(start.items()))

    assert len({digest(a) for a in (start, changed, renamed, turned, swapped)}) == 5


def test_the_digest_does_not_depend_on_the_layout_in_memory() -> None:
    turned = {name: np.asfortranarray(array) for name, array in arrays().items()}

    assert digest(turned) == digest(arrays())


def test_the_arrays_travel_as_the_one_vector_that_numpy_would_save() -> None:
    record = to_record(arrays(), SHAPES)

    assert list(record) == ["weights"]
    assert record["weights"].data == npy(vector())
    assert record["weights"].object_id == record_of(vector())["weights"].object_id


@given(st.lists(FINITE, min_size=2, max_size=2))
def test_any_finite_numbers_pass_a_message_bit_for_bit(values: list[float]) -> None:
    sent = {**arrays(), "a/bias": np.array(values, np.float32)}

    assert same_bytes(from_record(to_record(sent, SHAPES), SHAPES), sent)


def test_an_array_in_another_memory_order_arrives_as_the_same_numbers() -> None:
    sent = {name: np.asfortranarray(array) for name, array in arrays().items()}

    assert same_bytes(from_record(to_record(sent, SHAPES), SHAPES), arrays())


def test_received_arrays_cannot_be_changed_by_mistake() -> None:
    received = from_record(to_record(arrays(), SHAPES), SHAPES)

    with pytest.raises(ValueError, match="read-only"):
        received["a/bias"] += 1


@pytest.mark.parametrize(
    "names",
    [["a/kernel"], ["a/bias", "a/kernel"], ["a/kernel", "a/bias", "b"], ["a/kernel", "bias"], []],
)
def test_missing_further_renamed_or_reordered_arrays_are_not_written(names: list[str]) -> None:
    held = {name: arrays().get(name, np.zeros(2, np.float32)) for name in names}

    assert refusal_of(held) == "array_names"


@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.int32, np.complex64, ">f4"])
def test_another_dtype_is_not_written(dtype: type) -> None:
    assert refusal_of({**arrays(), "a/bias": np.zeros(2, dtype)}) == "array_dtype"


@pytest.mark.parametrize("shape", [(3,), (1, 2), (2, 1), ()])
def test_another_shape_is_not_written(shape: Shape) -> None:
    assert refusal_of({**arrays(), "a/bias": np.zeros(shape, np.float32)}) == "array_shape"


def test_two_arrays_that_exchange_their_shapes_are_not_written() -> None:
    turned = {**arrays(), "a/kernel": arrays()["a/kernel"].reshape(2, 3)}

    assert refusal_of(turned) == "array_shape"


def test_a_vector_of_another_name_or_beside_another_is_refused() -> None:
    two = ArrayRecord({"weights": Array(vector()), "more": Array(vector())})

    assert reason_of(record_of(vector(), "scores")) == "array_names"
    assert reason_of(two) == "array_names"
    assert reason_of(ArrayRecord()) == "array_names"


@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.int32, np.complex64])
def test_another_dtype_is_refused(dtype: type) -> None:
    assert reason_of(record_of(vector().astype(dtype))) == "array_dtype"


def test_another_container_is_refused() -> None:
    pickled = Array("float32", (8,), "pickle", npy(vector()))

    assert reason_of(ArrayRecord({"weights": pickled})) == "array_dtype"


@pytest.mark.parametrize("shape", [(9,), (7,), (1, 8), (8, 1), (2, 4), ()])
def test_another_shape_is_refused(shape: Shape) -> None:
    assert reason_of(record_of(np.zeros(shape, np.float32))) == "array_shape"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused(value: float) -> None:
    held = {**arrays(), "a/bias": np.array([0, value], np.float32)}

    assert reason_of(to_record(held, SHAPES)) == "not_finite"


def test_bytes_after_an_array_are_refused() -> None:
    data = npy(vector())

    assert reason_of(record_with(data + b"JOHN^DOE")) == "array_bytes"
    assert reason_of(record_with(data[:-1])) == "array_bytes"
    assert reason_of(record_with(b"")) == "array_bytes"


@pytest.mark.parametrize(
    "array",
    [np.zeros(4, np.float64), np.zeros((1, 8), np.float32), np.zeros(8, ">f4"), np.zeros(8, "i4")],
)
def test_bytes_that_disagree_with_the_stated_dtype_and_shape_are_refused(
    array: np.ndarray,
) -> None:
    data = npy(array)
    assert len(data) == len(npy(vector()))

    assert reason_of(record_with(data)) == "array_bytes"


def test_words_in_the_padding_of_a_header_are_refused() -> None:
    data = npy(vector())
    at = data.index(b"}") + 2
    with_words = data[:at] + b"#JOHN^DOE" + data[at + 9 :]
    assert np.load(BytesIO(with_words)).shape == (8,)  # numpy itself does not mind

    assert reason_of(record_with(with_words)) == "array_bytes"


def test_a_zip_or_a_pickle_in_place_of_an_array_is_refused_unread() -> None:
    length = len(npy(vector()))
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a", b"")
    for data in (
        archive.getvalue().ljust(length, b"\0"),
        b"PK\x03\x04".ljust(length, b"\0"),
        pickle.dumps("boom").ljust(length, b"\0"),
        npy(np.array([None], object), pickled=True).ljust(length, b"\0")[:length],
    ):
        assert reason_of(record_with(data)) == "array_bytes"


@given(st.integers(0, 127), st.integers(0, 255))
def test_any_changed_byte_of_a_header_is_refused(at: int, value: int) -> None:
    data = bytearray(npy(vector()))
    unchanged = data[at] == value
    data[at] = value

    if unchanged:
        from_record(record_with(bytes(data)), SHAPES)
    else:
        assert reason_of(record_with(bytes(data))) == "array_bytes"
