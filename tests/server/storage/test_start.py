"""The weights that a study starts from."""

from __future__ import annotations

from pathlib import Path

import pytest

from bs_common.architecture import NamedArrays, initial_head
from bs_common.weights import digest
from bs_server.storage.start import starting_weights


class Maker:
    """Gives other weights each time it is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.damaged: list[str] = []

    def make(self) -> NamedArrays:
        self.asked += 1
        return initial_head(self.asked)

    def start(self, folder: Path) -> NamedArrays:
        return starting_weights(folder, "head", make=self.make, damaged=self.damaged.append)


def test_what_was_asked_for_once_is_not_asked_for_again(tmp_path: Path) -> None:
    maker = Maker()

    first = maker.start(tmp_path / "start")
    again = maker.start(tmp_path / "start")

    assert digest(first) == digest(again) == digest(initial_head(1))
    assert maker.asked == 1


def test_a_death_before_the_record_was_written_asks_again(tmp_path: Path) -> None:
    maker = Maker()
    maker.start(tmp_path / "start")
    (tmp_path / "start/start.json").unlink()

    assert digest(maker.start(tmp_path / "start")) == digest(initial_head(2))
    assert maker.damaged == []


@pytest.mark.parametrize("name", ["weights.safetensors", "start.json"])
def test_damaged_starting_weights_are_made_again_and_told(tmp_path: Path, name: str) -> None:
    maker = Maker()
    maker.start(tmp_path / "start")
    (tmp_path / "start" / name).write_bytes(b"{}")

    assert digest(maker.start(tmp_path / "start")) == digest(initial_head(2))
    assert len(maker.damaged) == 1
