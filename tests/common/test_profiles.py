"""The paper's settings and the fast ones, and what a study is told of its departures."""

from __future__ import annotations

import pytest

from bs_common.architecture import parameter_count
from bs_common.profiles import (
    PAPER_WORDS,
    compare_with_paper,
    differences_from_paper,
    profile_settings,
)
from bs_common.settings import StudySettings


def test_the_papers_profile_is_what_the_paper_says() -> None:
    paper = profile_settings("paper", name="any", seed=1)

    assert (paper.view_height, paper.view_width, paper.preprocessing) == (512, 256, "paper")
    assert (paper.backbone, parameter_count(paper.trainable)) == ("imagenet", 14_978_370)
    assert (paper.rounds, paper.local_epochs, paper.learning_rate) == (6, 1, 1e-4)
    assert (paper.threshold, paper.threshold_rule, paper.batch_size) == (0.5, "fixed", 4)
    assert paper.bootstrap_resamples == 100
    assert differences_from_paper(paper) == ()


def test_the_defaults_are_the_papers_but_for_wider_bootstrap() -> None:
    told = differences_from_paper(StudySettings(name="any", seed=99))

    assert told == ("bootstrap_resamples = 2000 (paper: 100)",)


def test_the_fast_profile_sends_the_head_alone() -> None:
    fast = profile_settings("fast", name="any", seed=1)

    assert parameter_count(fast.trainable) == 263_682
    told = {line.partition(" =")[0] for line in differences_from_paper(fast)}
    assert told == {
        *("trainable", "rounds", "local_epochs", "learning_rate"),
        *("threshold_rule", "bootstrap_resamples"),
    }


def test_each_departure_from_the_paper_is_told_with_both_values() -> None:
    settings = profile_settings("paper", name="any", seed=1)

    told = differences_from_paper(settings.model_copy(update={"trainable": "head", "rounds": 10}))

    assert told == ("trainable = head (paper: all)", "rounds = 10 (paper: 6)")


def test_every_setting_is_compared_and_said_to_be_printed_or_not() -> None:
    rows = compare_with_paper(StudySettings(name="any"))

    compared = {row.setting for row in rows}
    assert compared == set(StudySettings.model_fields) - {"name", "seed"}
    assert set(PAPER_WORDS) <= compared


@pytest.mark.parametrize("rule", ["fixed", "youden", "sensitivity:0.9", "sensitivity:0.95"])
def test_a_rule_for_the_threshold_is_one_of_three(rule: str) -> None:
    assert StudySettings(name="any", threshold_rule=rule).threshold_rule == rule


@pytest.mark.parametrize("rule", ["", "best", "sensitivity", "sensitivity:0", "sensitivity:1.5"])
def test_another_rule_is_refused(rule: str) -> None:
    with pytest.raises(ValueError, match="threshold_rule"):
        StudySettings(name="any", threshold_rule=rule)
