from __future__ import annotations

from pathlib import Path

import pytest

from support.real_study import HEAD, HeadStudy, make_head_study, run_real_study
from support.study_maker import MadeStudy

pytestmark = pytest.mark.integration


def weights_of(study: MadeStudy) -> list[bytes]:
    rounds = [study.folder.rounds / f"{number:04d}" for number in range(HEAD.rounds + 1)]
    return [(folder / "weights.safetensors").read_bytes() for folder in rounds]


def test_two_trainings_with_one_seed_give_the_same_bytes(
    head_study: HeadStudy, tmp_path: Path
) -> None:
    """The second study has other keys and empty caches, and nothing stands in its way."""
    again = make_head_study(tmp_path, head_study.data)

    run_real_study(again, seconds=300)

    first, second = weights_of(head_study.study), weights_of(again)
    assert len(set(first)) == len(first)  # every round learned something
    assert first == second
