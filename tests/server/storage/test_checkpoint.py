"""Rounds on disk."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from bs_common.architecture import NamedArrays, array_shapes, initial_head
from bs_common.errors import StorageFailed, TrustError
from bs_common.weights import digest, read_weights, write_weights
from bs_server.results.summary import RoundSummary
from bs_server.storage import checkpoint
from bs_server.storage.checkpoint import Checkpoints


def record(number: int, arrays: NamedArrays) -> RoundSummary:
    return RoundSummary(
        round=number,
        pooled_auc=0.75,
        pooled_auc_bound=0.01,
        validation_loss=0.1 + 0.2,
        validation_examples=20,
        weights_sha256=digest(arrays),
        seconds=1.5,
        sites=[],
        hidden={},
    )


def written(folder: Path, rounds: int) -> tuple[Checkpoints, list[RoundSummary]]:
    checkpoints = Checkpoints(folder / "rounds", "head")
    records = [record(number, initial_head(number)) for number in range(rounds)]
    for entry in records:
        checkpoints.write(entry, initial_head(entry.round))
    return checkpoints, records


def test_a_study_that_has_not_begun_has_no_rounds(tmp_path: Path) -> None:
    assert Checkpoints(tmp_path / "rounds", "head").records() == []


def test_rounds_and_their_weights_are_read_as_they_were_written(tmp_path: Path) -> None:
    checkpoints, records = written(tmp_path, 3)

    assert checkpoints.records() == records
    for entry in records:
        assert digest(checkpoints.weights(entry)) == digest(initial_head(entry.round))


def test_a_torn_draft_is_ignored_and_then_overwritten(tmp_path: Path) -> None:
    checkpoints, records = written(tmp_path, 2)
    draft = checkpoints.folder / ".0002"
    draft.mkdir()
    (draft / "weights.safetensors").write_bytes(b"half of the w")

    assert checkpoints.records() == records

    checkpoints.write(record(2, initial_head(2)), initial_head(2))
    assert [entry.round for entry in checkpoints.records()] == [0, 1, 2]
    assert sorted(p.name for p in checkpoints.folder.iterdir()) == ["0000", "0001", "0002"]


def test_a_round_whose_writing_fails_does_not_appear(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints, records = written(tmp_path, 2)

    def full(path: Path, document: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "write_state", full)
    with pytest.raises(StorageFailed, match="No space left") as failed:
        checkpoints.write(record(2, initial_head(2)), initial_head(2))

    assert "Free space" in failed.value.remedy
    assert checkpoints.records() == records


def test_records_stop_at_a_gap(tmp_path: Path) -> None:
    checkpoints, records = written(tmp_path, 4)

    shutil.rmtree(checkpoints.folder / "0002")

    assert checkpoints.records() == records[:2]


def test_a_round_can_be_written_again(tmp_path: Path) -> None:
    checkpoints, _ = written(tmp_path, 1)
    other = initial_head(99)

    checkpoints.write(record(0, other), other)

    assert digest(checkpoints.weights(checkpoints.records()[0])) == digest(other)


def alter(folder: Path) -> None:
    """Change one number of a round's weights, as a failing disk might."""
    altered = read_weights(folder / "weights.safetensors", array_shapes("head"))
    altered["head_output/bias"][0] = np.float32(1e-30)
    write_weights(folder / "weights.safetensors", altered)


def test_altered_weights_are_refused_with_a_remedy(tmp_path: Path) -> None:
    checkpoints, records = written(tmp_path, 1)
    alter(checkpoints.folder / "0000")

    with pytest.raises(TrustError, match="not those that were recorded") as refused:
        checkpoints.weights(records[0])
    assert "goes back to the round before" in refused.value.remedy


def test_weights_of_another_scope_are_refused(tmp_path: Path) -> None:
    _, records = written(tmp_path, 1)

    with pytest.raises(TrustError, match="does not hold this study's 10 float32 arrays"):
        Checkpoints(tmp_path / "rounds", "block5").weights(records[0])


def test_a_round_without_its_weights_is_refused(tmp_path: Path) -> None:
    checkpoints, records = written(tmp_path, 1)
    (checkpoints.folder / "0000/weights.safetensors").unlink()

    with pytest.raises(TrustError, match="not a readable weights file"):
        checkpoints.weights(records[0])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"version": 1, "record": {"round": 0}}', "weights_sha256"),
        ('{"round": 0}', "version: Field required"),
        ('{"version": 2}', "version: Input should be 1"),
        ("", "Invalid JSON"),
    ],
)
def test_a_record_that_is_damaged_or_of_another_version_is_refused(
    tmp_path: Path, content: str, said: str
) -> None:
    checkpoints, _ = written(tmp_path, 1)
    (checkpoints.folder / "0000/round.json").write_text(content)

    with pytest.raises(TrustError, match=said):
        checkpoints.records()


class Damaged:
    """Remembers what was told to be damaged."""

    def __init__(self) -> None:
        self.rounds: list[int] = []

    def __call__(self, number: int, why: str) -> None:
        assert why
        self.rounds.append(number)


def test_a_study_goes_on_with_its_last_round(tmp_path: Path) -> None:
    checkpoints, records = written(tmp_path, 3)
    damaged = Damaged()

    resumed = checkpoints.resume(damaged)

    assert resumed is not None
    assert resumed.rounds == records
    assert digest(resumed.arrays) == digest(initial_head(2))
    assert damaged.rounds == []


def tear_record(folder: Path) -> None:
    (folder / "round.json").write_bytes((folder / "round.json").read_bytes()[:40])


def remove_weights(folder: Path) -> None:
    (folder / "weights.safetensors").unlink()


@pytest.mark.parametrize("damage", [alter, tear_record, remove_weights])
def test_a_damaged_newest_round_is_set_aside_and_the_one_before_used(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    checkpoints, records = written(tmp_path, 3)
    damage(checkpoints.folder / "0002")
    damaged = Damaged()

    resumed = checkpoints.resume(damaged)

    assert resumed is not None
    assert resumed.rounds == records[:2]
    assert digest(resumed.arrays) == digest(initial_head(1))
    assert damaged.rounds == [2]
    assert (checkpoints.folder / "aside-0002-1").is_dir()


def test_a_damaged_round_takes_those_after_it_along(tmp_path: Path) -> None:
    checkpoints, records = written(tmp_path, 4)
    tear_record(checkpoints.folder / "0001")

    resumed = checkpoints.resume(Damaged())

    assert resumed is not None
    assert resumed.rounds == records[:1]
    assert len(list(checkpoints.folder.glob("aside-*"))) == 3


def test_with_nothing_whole_left_the_study_begins_at_the_start(tmp_path: Path) -> None:
    checkpoints, _ = written(tmp_path, 2)
    remove_weights(checkpoints.folder / "0000")
    tear_record(checkpoints.folder / "0001")
    damaged = Damaged()

    assert checkpoints.resume(damaged) is None
    assert damaged.rounds == [1]


def scored(folder: Path, aucs: list[float], *, keep_last: int) -> Checkpoints:
    """Write rounds with these AUCs, forgetting weights after each, as a study does."""
    checkpoints = Checkpoints(folder / "rounds", "head", keep_last)
    records = []
    for number, auc in enumerate(aucs):
        arrays = initial_head(number)
        entry = record(number, arrays).model_copy(
            update={"pooled_auc": auc, "validation_loss": 1 - auc}
        )
        checkpoints.write(entry, arrays)
        records.append(entry)
        checkpoints.forget_weights(records)
    return checkpoints


def with_weights(checkpoints: Checkpoints) -> list[int]:
    return sorted(int(p.parent.name) for p in checkpoints.folder.glob("*/weights.safetensors"))


def test_old_weights_go_and_the_best_rounds_stay(tmp_path: Path) -> None:
    checkpoints = scored(tmp_path, [0.5, 0.6, 0.9, 0.7, 0.7, 0.7, 0.7], keep_last=2)

    assert with_weights(checkpoints) == [2, 5, 6]
    assert len(checkpoints.records()) == 7


def test_the_best_before_a_damaged_newest_is_still_there(tmp_path: Path) -> None:
    checkpoints = scored(tmp_path, [0.5, 0.8, 0.6, 0.6, 0.6, 0.9], keep_last=2)
    alter(checkpoints.folder / "0005")

    resumed = checkpoints.resume(Damaged())

    assert resumed is not None
    assert resumed.rounds[-1].round == 4
    assert digest(checkpoints.weights(resumed.rounds[1])) == digest(initial_head(1))


def test_too_little_room_stops_before_the_round(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints, _ = written(tmp_path, 1)
    checkpoints.require_space()
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: SimpleNamespace(free=3_000_000))

    with pytest.raises(StorageFailed, match=r"needs 4\.1 MB"):
        checkpoints.require_space()
