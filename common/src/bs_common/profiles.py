"""Settings by name: the paper's own, and a fast one; and where a study departs from the paper."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from bs_common.settings import StudySettings

Profile = Literal["paper", "fast"]

# What a profile sets beside the defaults of `StudySettings`.
PROFILES: Mapping[Profile, Mapping[str, Any]] = {
    "paper": {"bootstrap_resamples": 100},
    # The head alone travels (1.05 MB in place of 59.9) and each scan's features are computed once,
    # so that a round takes minutes on a CPU. A head learns slowly at the paper's rate, and its
    # probabilities need not be centred at a half, so validation chooses the threshold.
    "fast": {
        "trainable": "head",
        "rounds": 10,
        "local_epochs": 5,
        "learning_rate": 1e-3,
        "threshold_rule": "youden",
    },
}
# What the paper prints of each setting, in its words; what it leaves open is said to be so.
PAPER_WORDS: Mapping[str, str] = {
    "backbone": "VGG16 with ImageNet weights",
    "trainable": "all 14,978,370 parameters",
    "view_height": "512 pixels a view",
    "view_width": "256 pixels a view",
    "preprocessing": "minimum to maximum of each view",
    "rounds": "6 epochs",
    "local_epochs": "an epoch: all positives, as many negatives drawn anew",
    "local_steps": "200 steps an epoch; here an epoch ends with the site's scans",
    "batch_size": "not printed; 658 scans in 200 steps make 3.3",
    "learning_rate": "Adam, 1e-4",
    "threshold": "not printed",
    "threshold_rule": "not printed",
    "bootstrap_resamples": "100 resamples",
    "validation_fraction": "164 of 1367 scans, where labels give no split",
}
_OWN = ("name", "seed")  # every study's own


class ProfileRow(NamedTuple):
    """One setting: the paper's value, the study's, and what the paper prints."""

    setting: str
    paper: str
    study: str
    printed: str


def profile_settings(profile: Profile, *, name: str, seed: int) -> StudySettings:
    """Give a study's settings after a profile."""
    return StudySettings(name=name, seed=seed, **PROFILES[profile])


def compare_with_paper(settings: StudySettings) -> list[ProfileRow]:
    """Give every setting beside the paper's, in the order of the study file."""
    own = settings.model_dump()
    paper = {name: info.default for name, info in StudySettings.model_fields.items()}
    paper |= PROFILES["paper"]
    return [
        ProfileRow(name, str(paper[name]), str(own[name]), PAPER_WORDS.get(name, "not printed"))
        for name in own
        if name not in _OWN
    ]


def differences_from_paper(settings: StudySettings) -> tuple[str, ...]:
    """Say in one line each where the settings depart from the paper's profile."""
    return tuple(
        f"{row.setting} = {row.study} (paper: {row.paper})"
        for row in compare_with_paper(settings)
        if row.study != row.paper
    )
