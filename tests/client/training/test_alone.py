"""A model of one site's scans: as many rounds as the study, the best of them, whatever stops it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bs_client.interruption import Interrupted
from bs_client.training.alone import Figures, LocalModel, train_alone
from bs_client.training.draft import Draft
from bs_common.architecture import NamedArrays

START: NamedArrays = {"w": np.zeros(1, np.float32)}
# AUC and loss after each round.
FIGURES: list[Figures] = [(0.75, 0.6), (1.0, 0.5), (1.0, 0.2), (0.5, 0.1)]


class Training:
    """Adds one to the weight in every round, and may be stopped before one of them."""

    def __init__(self, folder: Path, question: str = "q", stop_at: int | None = None) -> None:
        self.draft = Draft(folder / "local.safetensors", question, every_s=0)
        self.stop_at = stop_at
        self.trained: list[int] = []

    def train(self, number: int, arrays: NamedArrays) -> NamedArrays:
        if number == self.stop_at:
            raise Interrupted
        self.trained.append(number)
        assert arrays["w"][0] == number - 1  # every round goes on from the one before
        return {"w": arrays["w"] + np.float32(1)}

    def run(self, figures: list[Figures] = FIGURES) -> LocalModel:
        return train_alone(
            START,
            rounds=len(figures),
            train_round=self.train,
            validate=lambda arrays: figures[int(arrays["w"][0]) - 1],
            draft=self.draft,
        )


def test_the_best_round_is_the_highest_area_and_of_equals_the_earlier(tmp_path: Path) -> None:
    training = Training(tmp_path)

    model = training.run()

    assert training.trained == [1, 2, 3, 4]
    assert (model.round, model.arrays["w"][0]) == (2, 2.0)


def test_where_one_area_is_not_known_the_loss_decides(tmp_path: Path) -> None:
    assert Training(tmp_path).run([(1.0, 0.6), (None, 0.3), (0.5, 0.4)]).round == 2


@pytest.mark.parametrize("stop_at", [1, 2, 4])
def test_a_training_that_was_stopped_goes_on_after_its_last_whole_round(
    tmp_path: Path, stop_at: int
) -> None:
    with pytest.raises(Interrupted):
        Training(tmp_path, stop_at=stop_at).run()

    again = Training(tmp_path)
    model = again.run()

    assert again.trained == list(range(stop_at, 5))
    assert (model.round, model.arrays["w"][0]) == (2, 2.0)


def test_a_training_that_was_done_is_not_done_again(tmp_path: Path) -> None:
    first = Training(tmp_path).run()

    again = Training(tmp_path)
    model = again.run()

    assert again.trained == []
    assert (model.round, model.arrays["w"][0]) == (first.round, first.arrays["w"][0])


def test_other_scans_or_settings_begin_anew(tmp_path: Path) -> None:
    Training(tmp_path).run()

    other = Training(tmp_path, question="other")
    other.run()

    assert other.trained == [1, 2, 3, 4]
