"""A released model for tests: a head of drawn weights over a drawn backbone."""

from __future__ import annotations

from bs_common.architecture import NamedArrays, initial_head
from bs_common.released_model import (
    ContributingSite,
    ExternalMetrics,
    Figure,
    Lineage,
    ReleasedModel,
    ValidationMetrics,
)
from bs_common.settings import StudySettings
from bs_common.weights import digest

SETTINGS = StudySettings(
    name="three-sites",
    seed=5,
    backbone="random:7",
    trainable="head",
    view_height=64,
    view_width=32,
)


def make_model(
    arrays: NamedArrays,
    *,
    settings: StudySettings = SETTINGS,
    backbone_sha256: str = "b" * 64,
    synthetic: bool = True,
) -> ReleasedModel:
    """Describe a model with these weights."""
    return ReleasedModel(
        study=settings.name,
        settings=settings,
        settings_sha256=settings.digest(),
        backbone_sha256=backbone_sha256,
        threshold=settings.threshold,
        validation=ValidationMetrics(auc=0.8, auc_bound=0.01, loss=0.5, examples=160),
        external=ExternalMetrics(
            site="namur",
            auc=Figure(value=0.9, low=0.85, high=0.95),
            auc_method="DeLong",
            tp=30,
            fn=6,
            tn=50,
            fp=9,
            rates={"tpr": Figure(value=30 / 36, low=0.68, high=0.92)},
        ),
        lineage=Lineage(
            sites=(
                ContributingSite(name="aachen", role="train", key_sha256="1" * 64),
                ContributingSite(name="namur", role="evaluate", key_sha256="2" * 64),
            ),
            rounds=6,
            round=4,
            chosen_by="pooled_auc",
            summary_sha256="3" * 64,
        ),
        synthetic=synthetic,
        weights_sha256=digest(arrays),
        software={"bs-server": "0.1.0"},
        created="2026-03-01T09:31:40+00:00",
    )


def drawn_head() -> NamedArrays:
    """Draw a head."""
    return initial_head(SETTINGS.seed)
