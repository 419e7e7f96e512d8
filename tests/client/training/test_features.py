"""Frozen features on disk: the same whatever was there before."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bs_client.data.cache import ArrayCache
from bs_client.data.dataset import Dataset
from bs_client.data.labels import Split
from bs_client.data.preprocess import as_channels, flip
from bs_client.training.features import Features
from bs_common.architecture import Trainable
from support.small_network import drawn_dataset, small_network, small_settings, start

pytestmark = [pytest.mark.usefixtures("device"), pytest.mark.slow]

SCANS = 11  # a group of eight and one of three


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    labels = {Split.TRAIN: [True] * SCANS, Split.VALIDATION: [False] * 2}
    return drawn_dataset(tmp_path_factory.mktemp("data"), labels, small_settings("head"))


def open_features(
    data: Dataset, folder: Path, *, trainable: Trainable = "head", backbone: str = "b"
) -> Features:
    return Features(
        data,
        Split.TRAIN,
        network=small_network(trainable),
        cache=ArrayCache(folder),
        backbone_sha256=backbone,
    )


def prepare(features: Features) -> list[tuple[int, int]]:
    """Prepare both orientations and give the progress that was told."""
    told: list[tuple[int, int]] = []
    features.prepare(flips=(False, True), progress=lambda done, total: told.append((done, total)))
    return told


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_features_are_what_the_trunk_makes_of_the_scan_and_of_its_mirror_image(
    data: Dataset, tmp_path: Path
) -> None:
    features = open_features(data, tmp_path)
    prepare(features)
    image = data.image(data.of_split(Split.TRAIN)[9])

    found = features.of(np.array([9, 9]), np.array([False, True]))

    expected = small_network("head").activate(as_channels(np.stack([image, flip(image)])))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)
    assert not np.array_equal(found[0], found[1])


def test_progress_counts_every_scan_in_both_orientations(data: Dataset, tmp_path: Path) -> None:
    told = prepare(open_features(data, tmp_path))

    assert told == [(8, 22), (11, 22), (19, 22), (22, 22)]


def test_a_second_opening_finds_everything_and_writes_nothing(
    data: Dataset, tmp_path: Path
) -> None:
    prepare(open_features(data, tmp_path))
    times = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}

    prepare(open_features(data, tmp_path))

    assert len(times) == 2 * SCANS
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == times


def test_torn_and_missing_entries_are_computed_again_to_the_same_bytes(
    data: Dataset, tmp_path: Path
) -> None:
    prepare(open_features(data, tmp_path))
    before = contents(tmp_path)
    first, second, third = list(tmp_path.iterdir())[:3]
    first.write_bytes(first.read_bytes()[:500])
    second.write_bytes(b"")
    third.unlink()

    prepare(open_features(data, tmp_path))

    assert contents(tmp_path) == before


def test_a_scan_asked_for_without_preparation_has_the_same_features(
    data: Dataset, tmp_path: Path
) -> None:
    prepared = open_features(data, tmp_path / "prepared")
    prepare(prepared)
    place, flipped = np.array([10]), np.array([True])

    asked = open_features(data, tmp_path / "asked").of(place, flipped)

    assert asked.tobytes() == prepared.of(place, flipped).tobytes()


def test_another_backbone_shares_no_entry(data: Dataset, tmp_path: Path) -> None:
    for backbone in ("b", "c"):
        features = open_features(data, tmp_path, backbone=backbone)
        features.prepare(flips=(False,), progress=lambda done, total: None)

    assert len(contents(tmp_path)) == 2 * SCANS


def test_without_a_frozen_part_images_are_used_and_nothing_is_kept(
    data: Dataset, tmp_path: Path
) -> None:
    features = open_features(data, tmp_path, trainable="all")
    image = data.image(data.of_split(Split.TRAIN)[2])

    told = prepare(features)
    found = features.of(np.array([2, 2]), np.array([False, True]))

    assert told == []
    np.testing.assert_array_equal(found, as_channels(np.stack([image, flip(image)])))
    assert not contents(tmp_path)


def test_the_whole_split_is_scored_in_manifest_order_a_piece_at_a_time(
    data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, features = small_network("head"), open_features(data, tmp_path)
    network.set_arrays(start("head"))
    places, as_is = np.arange(SCANS), np.zeros(SCANS, bool)
    expected = network.score(features.of(places, as_is))

    monkeypatch.setattr("bs_client.training.features._SCORED_TOGETHER", 4)
    margins = features.score_all()

    assert margins.tolist() == expected.tolist()
    assert len(set(margins)) == SCANS
