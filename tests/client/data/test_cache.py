import hashlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bs_client.data.cache import ArrayCache, feature_key

KEY = hashlib.sha256(b"a scan").hexdigest()
OTHER_KEY = hashlib.sha256(b"another scan").hexdigest()

PARTS: dict[str, str | int | bool] = {
    "pixel_sha256": "a" * 64,
    "preprocessing": "paper",
    "view_height": 512,
    "view_width": 256,
    "backbone_digest": "b" * 64,
    "boundary": "block5_pool/float32",
    "flipped": False,
}


def key_of(**changes: str | int | bool) -> str:
    return feature_key(**(PARTS | changes))  # type: ignore[arg-type]


@pytest.fixture
def cache(tmp_path: Path) -> ArrayCache:
    return ArrayCache(tmp_path / "features")


@pytest.fixture
def features() -> NDArray[np.float32]:
    drawn = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32)
    drawn[0, 0] = (np.nan, -0.0, np.float32(1e-45), np.inf)  # the values that texts lose
    return drawn


def only_file(folder: Path) -> Path:
    (path,) = (folder / "features").iterdir()
    return path


def test_an_array_comes_back_bit_for_bit(cache: ArrayCache, features: NDArray[np.float32]) -> None:
    cache.put(KEY, features)

    found = cache.get(KEY)

    assert found is not None
    assert found.dtype == np.float32
    assert found.shape == features.shape
    assert found.tobytes() == features.tobytes()


def test_what_was_never_put_is_not_found(cache: ArrayCache) -> None:
    assert cache.get(KEY) is None


def test_a_second_opening_of_the_folder_finds_the_entries(
    cache: ArrayCache, features: NDArray[np.float32], tmp_path: Path
) -> None:
    cache.put(KEY, features)

    assert ArrayCache(tmp_path / "features").get(KEY) is not None


def test_a_later_put_replaces_the_array(cache: ArrayCache, features: NDArray[np.float32]) -> None:
    cache.put(KEY, features)
    cache.put(KEY, np.zeros(3, np.float32))

    np.testing.assert_array_equal(cache.get(KEY), np.zeros(3))


@pytest.mark.parametrize("kept_bytes", [0, 10, 100, 200])
def test_a_torn_file_is_removed(
    cache: ArrayCache, features: NDArray[np.float32], tmp_path: Path, kept_bytes: int
) -> None:
    cache.put(KEY, features)
    path = only_file(tmp_path)
    path.write_bytes(path.read_bytes()[:kept_bytes])

    assert cache.get(KEY) is None
    assert not path.exists()


def test_any_altered_byte_is_noticed(
    cache: ArrayCache, features: NDArray[np.float32], tmp_path: Path
) -> None:
    cache.put(KEY, features)
    path = only_file(tmp_path)
    content = path.read_bytes()

    for place in range(0, len(content), 7):
        altered = bytearray(content)
        altered[place] ^= 1
        path.write_bytes(altered)
        assert cache.get(KEY) is None


def test_a_file_under_another_scans_key_is_a_wrong_file(
    cache: ArrayCache, features: NDArray[np.float32], tmp_path: Path
) -> None:
    cache.put(KEY, features)
    path = only_file(tmp_path)
    path.rename(path.with_name(path.name.replace(KEY, OTHER_KEY)))

    assert cache.get(OTHER_KEY) is None


def test_an_entry_is_a_plain_npy_file_that_only_its_owner_reads(
    cache: ArrayCache, features: NDArray[np.float32], tmp_path: Path
) -> None:
    cache.put(KEY, features)
    path = only_file(tmp_path)

    np.testing.assert_array_equal(np.load(path), features)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_the_same_parts_give_the_same_key() -> None:
    assert key_of() == key_of()


@pytest.mark.parametrize(
    "change",
    [
        {"pixel_sha256": "c" * 64},
        {"preprocessing": "clipped"},
        {"view_height": 256},
        {"view_width": 512},
        {"backbone_digest": "c" * 64},
        {"boundary": "block4_pool/float32"},
        {"flipped": True},
    ],
)
def test_any_other_part_gives_another_key(change: dict[str, str | int | bool]) -> None:
    assert key_of(**change) != key_of()
