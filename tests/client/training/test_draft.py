"""The state of a round on disk: given back whole, for its own round, or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bs_client.training.draft import Draft, Position, Variables, question_of

VARIABLES: Variables = [np.arange(6, dtype=np.float32).reshape(2, 3), np.array(7, np.int64)]
AT = Position(2, ((0.1, 0.5), (1 / 3, 1.0)))


def draft(folder: Path, question: str = "q", every_s: float = 0, **more: object) -> Draft:
    return Draft(folder / "round.safetensors", question, every_s=every_s, **more)  # type: ignore[arg-type]


def test_a_state_comes_back_bit_for_bit(tmp_path: Path) -> None:
    draft(tmp_path).keep(AT, VARIABLES)

    found = draft(tmp_path).find()

    assert found is not None
    assert found[0] == AT
    for was, now in zip(VARIABLES, found[1], strict=True):
        assert (was.dtype, was.shape, was.tobytes()) == (now.dtype, now.shape, now.tobytes())


def test_nothing_is_found_where_nothing_was_kept(tmp_path: Path) -> None:
    assert draft(tmp_path).find() is None


def test_the_draft_of_another_round_is_not_this_ones(tmp_path: Path) -> None:
    draft(tmp_path, "another").keep(AT, VARIABLES)

    assert draft(tmp_path).find() is None


@pytest.mark.parametrize("place", [3, 40, 300, -20, -1])
def test_a_damaged_draft_is_none(tmp_path: Path, place: int) -> None:
    kept = draft(tmp_path)
    kept.keep(AT, VARIABLES)
    content = bytearray(kept.path.read_bytes())
    content[place] ^= 0xFF
    kept.path.write_bytes(content)

    assert draft(tmp_path).find() is None


def test_a_draft_is_due_when_enough_was_trained_since_the_last(tmp_path: Path) -> None:
    times = iter([100.0, 130.0, 161.0, 162.0, 163.0])
    kept = draft(tmp_path, every_s=60, clock=lambda: next(times))

    assert not kept.is_due  # after 30 s
    assert kept.is_due  # after 61 s
    kept.keep(AT, VARIABLES)
    assert not kept.is_due


def test_a_disk_that_refuses_a_draft_does_not_end_the_training(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    draft(tmp_path / "missing").keep(AT, VARIABLES)

    assert "not kept" in caplog.text


def test_a_round_is_named_by_each_of_its_parts() -> None:
    names = {question_of(1, "a"), question_of(2, "a"), question_of(1, "b"), question_of(1, "ab")}

    assert len(names) == 4
