"""Rounds on disk."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from bs_common.architecture import NamedArrays, initial_head
from bs_common.errors import ConfigError, TrustError
from bs_common.weights import digest, write_weights
from bs_server import checkpoint
from bs_server.checkpoint import Checkpoints
from bs_server.summary import RoundSummary


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

    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "write_atomic", full)
    with pytest.raises(OSError, match="No space left"):
        checkpoints.write(record(2, initial_head(2)), initial_head(2))

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


def test_altered_weights_are_refused_and_the_remedy_names_the_folder(tmp_path: Path) -> None:
    checkpoints, records = written(tmp_path, 1)
    altered = initial_head(0)
    altered["head_output/bias"][0] = np.float32(1e-30)
    write_weights(checkpoints.folder / "0000/weights.safetensors", altered)

    with pytest.raises(TrustError, match="not those that were recorded") as refused:
        checkpoints.weights(records[0])
    assert str(checkpoints.folder / "0000") in refused.value.remedy


def test_weights_of_another_scope_are_refused(tmp_path: Path) -> None:
    _, records = written(tmp_path, 1)

    with pytest.raises(TrustError, match="does not hold this study's 10 float32 arrays"):
        Checkpoints(tmp_path / "rounds", "block5").weights(records[0])


def test_a_round_without_its_weights_is_refused(tmp_path: Path) -> None:
    checkpoints, records = written(tmp_path, 1)
    (checkpoints.folder / "0000/weights.safetensors").unlink()

    with pytest.raises(TrustError, match="not a readable weights file"):
        checkpoints.weights(records[0])


def test_a_damaged_record_is_refused(tmp_path: Path) -> None:
    checkpoints, _ = written(tmp_path, 1)
    (checkpoints.folder / "0000/round.json").write_text('{"round": 0}')

    with pytest.raises(ConfigError, match="weights_sha256"):
        checkpoints.records()
