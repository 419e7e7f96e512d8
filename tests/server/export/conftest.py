"""A finished study of two evaluate sites, put together from what sites would let out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bs_client.evaluation.external import evaluate_external
from bs_client.evaluation.judgement import Judgement
from bs_client.evaluation.subgroups import Traits, tabulate
from bs_client.explain.agreement import AgreementSummary, Mean
from bs_client.federation.external_reply import external_metrics
from bs_client.federation.small_cells import hide_small_cells
from bs_common.architecture import initial_head
from bs_common.contract import AGREEMENT_MEASURES, AGREEMENT_SOURCES, MessageType
from bs_common.messages import Reply
from bs_common.settings import StudySettings
from bs_server.evaluation.external import Question, summarise_external
from bs_server.evaluation.pooling import pool_external
from bs_server.report import render_report
from bs_server.results.summary import (
    CohortCount,
    ExternalSummary,
    RoundSummary,
    SiteRound,
    SiteSummary,
    Summary,
)
from bs_server.results.traffic import AuditSummary, Traffic

Changed = Callable[..., Summary]
SETTINGS = StudySettings(name="two-judges", seed=11, rounds=1, threshold_rule="youden")
QUESTION = Question(1, initial_head(0), 0.6, SETTINGS)
MIN_CELL = 5


@pytest.fixture(scope="session")
def summary() -> Summary:
    """Two training sites, two evaluate sites; nancy is too small to show all its subgroups."""
    answers = [_answer("namur", scans=600, seed=1), _answer("nancy", scans=80, seed=2)]
    return Summary(
        study=SETTINGS.name,
        settings=SETTINGS,
        settings_sha256=SETTINGS.digest(),
        synthetic=False,
        started="2026-03-01T08:00:12Z",
        finished="2026-03-01T09:31:40+00:00",
        differences=["rounds = 1 (paper: 6)"],
        sites=[
            _site("aachen", "train", [("train", 235, 668), ("validation", None, 58)]),
            _site("aalborg", "train", [("train", 94, 206), ("validation", 24, 23)]),
            *(_site(one.site, "evaluate", [("external", *_classes(one))]) for one in answers),
        ],
        rounds=[_round(0), _round(1)],
        best_round=1,
        chosen_by="pooled_auc",
        external=pool_external(answers),
        external_sites=answers,
        versions={"bs-server": "0.1.7", "flwr": "1.41.0"},
        weights_sha256="1" * 64,
        audit=AuditSummary(
            lines=40,
            head="e" * 64,
            traffic=[
                Traffic(
                    site="aachen",
                    kind="train",
                    sent=1,
                    sent_bytes=1_055_000,
                    received=1,
                    received_bytes=1_055_500,
                    refused=0,
                )
            ],
            refused_requests={"unknown_key": 2},
        ),
    )


@pytest.fixture(scope="session")
def page(summary: Summary) -> str:
    """The report of that study, drawn once."""
    return render_report(summary)


@pytest.fixture
def changed(summary: Summary) -> Changed:
    """Give the summary with some top-level fields replaced, checked anew."""

    def change(**fields: Any) -> Summary:
        return Summary.model_validate(summary.model_dump() | fields)

    return change


def _answer(site: str, *, scans: int, seed: int) -> ExternalSummary:
    draw = np.random.default_rng(seed)
    labels = draw.random(scans) < 0.4
    margins = draw.normal(labels * 1.8 - 0.5, 1.2)
    called = margins >= np.log(0.6 / 0.4)
    ages = draw.uniform(30, 90, scans)
    lesions = np.where(labels, draw.integers(1, 20, scans), 0)
    traits = [Traits(age=a, lesions=int(n)) for a, n in zip(ages, lesions, strict=True)]
    judgement = Judgement(
        evaluate_external(margins, labels, threshold=0.6, seed=0),
        int(called.sum()),
        tabulate(traits, called, labels),
        _agreement(),
        {"outside-body": 0.12},
    )
    metrics = external_metrics(judgement, MIN_CELL)
    metrics["refused.E_VANISHED"] = 3
    reply = Reply(MessageType.EXTERNAL, 1, {}, metrics, {"weights-sha256": "0" * 64})
    return summarise_external(site, hide_small_cells(reply, MIN_CELL), QUESTION)


def _agreement() -> AgreementSummary:
    mean = Mean(0.4, 0.3, 0.5)
    measures = [name.replace("-", "_") for name in AGREEMENT_MEASURES]
    by_source = {source: dict.fromkeys(measures, mean) for source in AGREEMENT_SOURCES}
    return AgreementSummary(
        scans=25,
        blank=0,
        by_source=by_source,
        beyond_intensity={},
        chance=mean,
        lesions=40,
        lesion_hits=mean,
    )


def _classes(answer: ExternalSummary) -> tuple[int, int]:
    assert answer.tp is not None
    assert answer.fn is not None
    assert answer.tn is not None
    assert answer.fp is not None
    return answer.tp + answer.fn, answer.tn + answer.fp


def _site(name: str, role: Any, cohort: list[tuple[str, int | None, int]]) -> SiteSummary:
    small = [split for split, metastasis, _ in cohort if metastasis is None]
    return SiteSummary(
        name=name,
        role=role,
        key_sha256="a" * 64,
        device="=GPU()" if name == "aalborg" else f"GPU of {name}",
        versions={"keras": "3.15.0"},
        backbone_sha256="b" * 64,
        cohort=[CohortCount(split=s, metastasis=m, no_metastasis=n) for s, m, n in cohort],
        refused={"E_VIEW_UNKNOWN": 17} if name == "aachen" else {},
        min_cell=MIN_CELL,
        hidden={f"{split}.metastasis": "small_cell" for split in small},
    )


def _round(number: int) -> RoundSummary:
    return RoundSummary(
        round=number,
        pooled_auc=0.7 + 0.1 * number,
        pooled_auc_bound=0.0082,
        validation_loss=0.6 - 0.1 * number,
        validation_examples=162,
        weights_sha256=f"{number}" * 64,
        seconds=83.26 if number else None,
        sites=[
            SiteRound(
                name="aachen", verdict="accepted", num_examples=470, loss=0.31, accuracy=0.88
            ),
            SiteRound(
                name="aalborg", verdict="not_finite", num_examples=None, loss=None, accuracy=None
            ),
        ]
        if number
        else [],
        hidden={},
    )
