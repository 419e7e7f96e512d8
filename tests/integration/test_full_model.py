"""The paper's scope: every weight is trained and travels, from a weights file at the sites."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pytest

from bs_client.phantom.cohort import CohortCounts
from bs_client.phantom.site_style import SiteName
from bs_common.architecture import NamedArrays, array_shapes
from bs_common.settings import Role, StudySettings
from bs_common.weights import read_weights
from support.real_study import make_cohorts, run_real_study
from support.study_maker import MadeStudy, make_study
from support.weights_file import draw_convolutions, write_keras_file

pytestmark = pytest.mark.integration

COHORTS: Mapping[SiteName, CohortCounts] = {
    "aachen": CohortCounts(
        train_positive=3, train_negative=3, validation_positive=2, validation_negative=2
    ),
    "namur": CohortCounts(external_positive=2, external_negative=2),
}


@dataclass(frozen=True)
class FullStudy:
    study: MadeStudy
    settings: StudySettings
    convolutions: NamedArrays

    def weights(self, number: int) -> NamedArrays:
        path = self.study.folder.rounds / f"{number:04d}" / "weights.safetensors"
        return read_weights(path, array_shapes("all"))


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> FullStudy:
    """Give a finished study of one train site: two steps of the whole network."""
    root = tmp_path_factory.mktemp("full-model")
    convolutions = draw_convolutions(seed=3)
    write_keras_file(root / "vgg16.h5", convolutions)
    settings = StudySettings(
        name="full",
        backbone=f"file:{root / 'vgg16.h5'}",
        trainable="all",
        view_height=32,
        view_width=32,
        rounds=1,
        local_steps=2,
    )
    data = make_cohorts(root / "data", COHORTS)
    roles: dict[str, Role] = {"aachen": "train", "namur": "evaluate"}
    study = make_study(root / "study", settings, roles, data=data)
    run_real_study(study, seconds=300)
    return FullStudy(study, settings, convolutions)


def test_the_first_weights_are_those_of_the_file(full: FullStudy) -> None:
    start = full.weights(0)

    assert all(np.array_equal(start[name], array) for name, array in full.convolutions.items())


def test_two_steps_change_every_array_down_to_the_first_convolution(full: FullStudy) -> None:
    before, after = full.weights(0), full.weights(1)

    changes = {name: float(np.abs(after[name] - before[name]).max()) for name in before}
    # Adam moves a weight by the learning rate in its first step and by as much at most in its
    # second: more than one rate is more than one step, and two steps are no more than two rates.
    rate = full.settings.learning_rate
    assert all(change > 1e-5 for change in changes.values()), changes
    assert 1.05 * rate < changes["block1_conv1/kernel"]
    assert max(changes.values()) < 2.01 * rate


def test_the_held_out_site_judges_the_whole_network(full: FullStudy) -> None:
    external = json.loads(full.study.folder.summary.read_text())["external"]

    assert external["tp"] + external["fn"] == 2
    assert external["tn"] + external["fp"] == 2
