from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load, save

from bs_common.bundle import MANIFEST, SIGNATURE, WEIGHTS, pack_bundle, read_bundle
from bs_common.errors import TrustError
from bs_common.released_model import Manifest, ReleasedModel
from bs_common.signing import sign
from support.released import SETTINGS, drawn_head, make_model

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
ARRAYS = drawn_head()
MODEL = make_model(ARRAYS)
CONTENT = pack_bundle(MODEL, ARRAYS, KEY)
Members = dict[str, bytes]


def read(content: bytes, folder: Path, key: Ed25519PrivateKey = KEY) -> ReleasedModel:
    path = folder / "model.bsm"
    path.write_bytes(content)
    return read_bundle(path, key.public_key()).model


def members() -> Members:
    with zipfile.ZipFile(io.BytesIO(CONTENT)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rezip(parts: list[tuple[str | zipfile.ZipInfo, bytes]], compression: int = 0) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", compression) as archive:
        for name, part in parts:
            archive.writestr(name, part)
    return content.getvalue()


def plain(parts: Members) -> bytes:
    """Zip members in the bundle's own form."""
    listed: list[tuple[str | zipfile.ZipInfo, bytes]] = []
    for name, part in parts.items():
        info = zipfile.ZipInfo(name)
        info.create_system, info.external_attr = 3, 0o100644 << 16
        listed.append((info, part))
    return rezip(listed)


def resigned(weights: bytes, model: ReleasedModel = MODEL) -> bytes:
    """Zip and truly sign weights that need not be the model's."""
    manifest = Manifest(members={WEIGHTS: hashlib.sha256(weights).hexdigest()}, model=model)
    content = manifest.to_bytes()
    return plain({MANIFEST: content, SIGNATURE: sign(content, KEY), WEIGHTS: weights})


def test_a_released_model_comes_back_as_it_was_packed(tmp_path: Path) -> None:
    (tmp_path / "model.bsm").write_bytes(CONTENT)

    bundle = read_bundle(tmp_path / "model.bsm", KEY.public_key())

    assert bundle.model == MODEL
    assert list(bundle.arrays) == list(ARRAYS)
    assert all(np.array_equal(bundle.arrays[name], array) for name, array in ARRAYS.items())
    assert bundle.manifest_sha256 == hashlib.sha256(members()[MANIFEST]).hexdigest()


def test_the_form_that_these_tests_rebuild_is_the_bundle_s_own() -> None:
    assert plain(members()) == CONTENT


def test_the_same_model_gives_the_same_bytes() -> None:
    assert pack_bundle(MODEL, drawn_head(), KEY) == CONTENT


def test_the_archive_has_this_form_on_every_python() -> None:
    """A reader compares with what its own Python writes, so that form may never change."""
    with zipfile.ZipFile(io.BytesIO(CONTENT)) as archive:
        overhead = len(CONTENT) - sum(info.file_size for info in archive.infolist())
        versions = {(i.create_version, i.extract_version, i.flag_bits) for i in archive.infolist()}

    # Local header 30, central header 46 and twice the name for each; end record 22 (APPNOTE 4.3).
    names = len(MANIFEST + SIGNATURE + WEIGHTS)
    assert overhead == 3 * (30 + 46) + 2 * names + 22
    assert versions == {(20, 20, 0)}


def test_the_weights_are_readable_without_this_software() -> None:
    found = load(members()[WEIGHTS])

    assert {name: array.shape for name, array in found.items()} == {
        name: array.shape for name, array in ARRAYS.items()
    }


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, len(CONTENT) - 1), change=st.integers(1, 255))
def test_any_changed_byte_is_refused(tmp_path: Path, place: int, change: int) -> None:
    changed = bytearray(CONTENT)
    changed[place] ^= change

    with pytest.raises(TrustError):
        read(bytes(changed), tmp_path)


@pytest.mark.parametrize("around", ["local headers", "central directory"])
def test_each_changed_byte_around_the_members_is_refused(tmp_path: Path, around: str) -> None:
    first = CONTENT.index(b"PK\x01\x02")
    places = range(first, len(CONTENT)) if around == "central directory" else range(43)

    for place in places:
        changed = bytearray(CONTENT)
        changed[place] ^= 1
        with pytest.raises(TrustError):
            read(bytes(changed), tmp_path)


@pytest.mark.parametrize("name", [MANIFEST, SIGNATURE, WEIGHTS])
def test_a_changed_member_is_refused(tmp_path: Path, name: str) -> None:
    parts = members()
    parts[name] = parts[name][:-1] + bytes([parts[name][-1] ^ 1])

    with pytest.raises(TrustError, match=r"changed|not those that were signed"):
        read(plain(parts), tmp_path)


@pytest.mark.parametrize("name", [MANIFEST, SIGNATURE, WEIGHTS])
def test_a_member_of_another_release_is_refused(tmp_path: Path, name: str) -> None:
    other_arrays = {key: array + np.float32(1) for key, array in ARRAYS.items()}
    other = pack_bundle(make_model(other_arrays), other_arrays, KEY)
    with zipfile.ZipFile(io.BytesIO(other)) as archive:
        foreign = archive.read(name)

    with pytest.raises(TrustError):
        read(plain(members() | {name: foreign}), tmp_path)


def test_another_key_than_the_pinned_one_is_refused(tmp_path: Path) -> None:
    other = Ed25519PrivateKey.generate()

    with pytest.raises(TrustError, match="another key than the pinned one"):
        read(CONTENT, tmp_path, other)


def add(name: str) -> Callable[[], bytes]:
    return lambda: plain(members() | {name: b"x"})


def swap(name: str) -> Callable[[], bytes]:
    def change() -> bytes:
        parts = members()
        return plain({name if old == WEIGHTS else old: part for old, part in parts.items()})

    return change


@pytest.mark.parametrize(
    "make",
    [
        add("/etc/passwd"),
        add("../release.key"),
        add("code.py"),
        add("weights.pkl"),
        swap("/weights.safetensors"),
        swap("../weights.safetensors"),
        swap("..\\weights.safetensors"),
        # zipfile itself cannot write a name with a NUL, which hides what comes after it.
        lambda: swap("weights.safetensors~.txt")().replace(b"~.txt", b"\0.txt"),
        swap("Weights.safetensors"),
        swap("weights.safetensors/"),
        lambda: plain({name: members()[name] for name in (MANIFEST, SIGNATURE)}),
        lambda: plain({name: members()[name] for name in (WEIGHTS, SIGNATURE, MANIFEST)}),
        lambda: rezip([]),
    ],
)
def test_any_other_list_of_members_is_refused(tmp_path: Path, make: Callable[[], bytes]) -> None:
    with pytest.raises(TrustError):
        read(make(), tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["model.bsm"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_second_member_of_one_name_is_refused(tmp_path: Path) -> None:
    parts = list(members().items())

    with pytest.raises(TrustError, match="4 members"):
        read(rezip([*parts, parts[-1]]), tmp_path)


def test_a_symbolic_link_is_refused(tmp_path: Path) -> None:
    parts = members()
    link = zipfile.ZipInfo(WEIGHTS)
    link.create_system, link.external_attr = 3, 0o120777 << 16
    names: list[str | zipfile.ZipInfo] = [MANIFEST, SIGNATURE, link]

    with pytest.raises(TrustError, match="archive around"):
        read(rezip(list(zip(names, parts.values(), strict=True))), tmp_path)


def test_a_compressed_member_is_refused_before_it_is_opened(tmp_path: Path) -> None:
    bomb = members() | {WEIGHTS: bytes(2**24)}

    with pytest.raises(TrustError, match="not compressed"):
        read(rezip(list(bomb.items()), zipfile.ZIP_DEFLATED), tmp_path)


def test_a_member_above_its_bound_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrustError, match="at most 64"):
        read(plain(members() | {SIGNATURE: bytes(65)}), tmp_path)


def test_a_file_larger_than_any_model_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "model.bsm").open("wb") as file:
        file.truncate(2**40)

    with pytest.raises(TrustError, match="larger than any model"):
        read_bundle(tmp_path / "model.bsm", KEY.public_key())


@pytest.mark.parametrize(
    "content", [b"", b"not a zip", CONTENT[:-30], CONTENT + b"x", b"#!/bin/sh\n" + CONTENT]
)
def test_anything_but_the_whole_archive_alone_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(TrustError):
        read(content, tmp_path)


def test_a_missing_file_is_refused_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(TrustError, match="FileNotFoundError") as refused:
        read_bundle(tmp_path / "model.bsm", KEY.public_key())

    assert "exists" in refused.value.remedy


@pytest.mark.parametrize(
    "arrays",
    [
        {name: array for name, array in ARRAYS.items() if "bias" not in name},
        ARRAYS | {"extra": np.zeros(1, np.float32)},
        {name: array.T.copy() for name, array in ARRAYS.items()},
        {name: array.astype(np.float64) for name, array in ARRAYS.items()},
        {name: array + np.float32(0.5) for name, array in ARRAYS.items()},
    ],
    ids=["missing", "extra", "shape", "dtype", "values"],
)
def test_signed_weights_that_are_not_the_model_s_are_refused(
    tmp_path: Path, arrays: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]
) -> None:
    with pytest.raises(TrustError, match="arrays"):
        read(resigned(save(arrays)), tmp_path)


def test_weights_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    arrays = {name: np.full_like(array, np.nan) for name, array in ARRAYS.items()}

    with pytest.raises(TrustError, match="arrays"):
        pack_bundle(make_model(arrays), arrays, KEY)


def test_a_pickle_in_place_of_the_weights_is_refused(tmp_path: Path) -> None:
    import pickle

    with pytest.raises(TrustError, match="not readable"):
        read(resigned(pickle.dumps(ARRAYS)), tmp_path)


def test_a_signed_manifest_of_another_format_is_refused(tmp_path: Path) -> None:
    parts = members()
    content = parts[MANIFEST].replace(b'"format_version": 1', b'"format_version": 2')

    with pytest.raises(TrustError, match="format 1"):
        read(plain(parts | {MANIFEST: content, SIGNATURE: sign(content, KEY)}), tmp_path)


def test_a_model_cannot_claim_settings_that_were_not_agreed_on() -> None:
    other = SETTINGS.model_copy(update={"threshold": 0.9})

    with pytest.raises(ValueError, match="settings_sha256"):
        ReleasedModel.model_validate(MODEL.model_dump() | {"settings": other})
