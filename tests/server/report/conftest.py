"""Study results for the report's tests: one with every figure, and ways to hide or change them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bs_common.settings import StudySettings
from bs_server.evaluation.pooling import pool_external
from bs_server.report import render_report
from bs_server.results.external_values import Rate
from bs_server.results.summary import (
    CalibrationBin,
    CohortCount,
    ExternalSummary,
    RocPoints,
    RoundSummary,
    SiteRound,
    SiteSummary,
    Summary,
)
from bs_server.results.traffic import AuditSummary, Traffic

Changed = Callable[..., Summary]


@pytest.fixture(scope="session")
def summary() -> Summary:
    """Two training sites and one external, not synthetic, the paper's nearest whole cases."""
    settings = StudySettings(name="three-sites", seed=90210, rounds=2)
    return Summary(
        study="three-sites",
        settings=settings,
        settings_sha256=settings.digest(),
        synthetic=False,
        started="2026-03-01T08:00:12Z",
        finished="2026-03-01T09:31:40.5+00:00",
        differences=["rounds = 2 (paper: 6)", "min_cell = 1"],
        sites=[
            _site("aachen", "train", [("train", 235, 668), ("validation", 57, 58)]),
            _site("aalborg", "train", [("train", 94, 206), ("validation", 24, 23)]),
            _site("namur", "evaluate", [("external", 411, 587)]),
        ],
        rounds=[_round(0, 0.5021, 0.9817), _round(1, 0.7713, 0.6125), _round(2, 0.8329, 0.4471)],
        best_round=2,
        chosen_by="pooled_auc",
        external=_external(),
        versions={"bs-server": "0.1.7", "flwr": "1.41.0"},
        weights_sha256="2" * 64,
        audit=_audit(),
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


@pytest.fixture(scope="session")
def full(summary: Summary) -> Summary:
    """The same study with every figure that a site can answer."""
    fields = summary.model_dump()
    fields["external"] |= _evidence()
    fields["comparison"] = {"rows": [_judged("federated"), _judged("local", site="aachen")]}
    return Summary.model_validate(fields)


def _judged(model: str, site: str | None = None) -> dict[str, Any]:
    gain = {"value": 0.02, "low": -0.01, "high": 0.05, "p": 0.19}
    area = {"auc": 0.9, "auc_low": 0.86, "auc_high": 0.94, "difference": gain if site else None}
    calls = {"threshold": 0.5, "tp": 40, "fn": 10, "tn": 40, "fp": 10}
    asked = {"seed": 7, "evaluate_site": "namur", "weights_sha256": "a" * 64}
    return {"model": model, "site": site, **asked, **area, **calls}


@pytest.fixture(scope="session")
def full_page(full: Summary) -> str:
    """The report with every figure, drawn once."""
    return render_report(full)


@pytest.fixture(scope="session")
def two_judges(full: Summary) -> Summary:
    """The same with a second evaluate site, and both pooled."""
    namur = full.external
    assert namur is not None
    liege = namur.model_copy(update={"site": "liege", "tp": 40, "fn": 10, "tn": 55, "fp": 45})
    answers = [namur, liege]
    sites = [*full.sites, _site("liege", "evaluate", [("external", 50, 100)])]
    update = {"external": pool_external(answers), "external_sites": answers, "sites": sites}
    return Summary.model_validate(full.model_copy(update=update).model_dump())


def _site(name: str, role: Any, cohort: list[tuple[str, int, int]]) -> SiteSummary:
    return SiteSummary(
        name=name,
        role=role,
        key_sha256="a" * 64,
        device=f"GPU of {name}",
        versions={"keras": "3.15.0"},
        backbone_sha256="b" * 64,
        cohort=[CohortCount(split=s, metastasis=m, no_metastasis=n) for s, m, n in cohort],
        refused={"E_VIEW": 17} if name == "aachen" else {},
        min_cell=5,
        hidden={},
    )


def _round(number: int, auc: float, loss: float) -> RoundSummary:
    replies = [
        SiteRound(
            name="aachen", verdict="accepted", num_examples=471, loss=0.3141, accuracy=0.87654
        ),
        SiteRound(
            name="aalborg", verdict="not_finite", num_examples=None, loss=None, accuracy=None
        ),
    ]
    return RoundSummary(
        round=number,
        pooled_auc=auc,
        pooled_auc_bound=0.0082,
        validation_loss=loss,
        validation_examples=162,
        weights_sha256=f"{number}" * 64,
        seconds=None if number == 0 else 83.26,
        sites=replies if number else [],
        hidden={},
    )


def _external() -> ExternalSummary:
    return ExternalSummary(
        site="namur",
        round=2,
        auc=0.8964,
        auc_ci=(0.8772, 0.9156),
        auc_method="DeLong",
        tp=338,
        fn=73,
        tn=472,
        fp=115,
        threshold=0.5,
        rates={
            "tpr": Rate(value=338 / 411, low=0.7825, high=0.8563),
            "fnr": Rate(value=73 / 411, low=0.1437, high=0.2175),
            "tnr": Rate(value=472 / 587, low=0.7700, high=0.8342),
            "fpr": Rate(value=115 / 587, low=0.1658, high=0.2300),
            "ppv": Rate(value=338 / 453, low=0.7041, high=0.7840),
            "npv": Rate(value=472 / 545, low=0.8349, high=0.8921),
            "accuracy": Rate(value=810 / 998, low=0.7862, high=0.8347),
            "f1": Rate(value=676 / 864, low=None, high=None),
        },
        roc=RocPoints(fpr=[0.0, 0.1, 0.1959, 1.0], tpr=[0.0, 0.6, 0.8224, 1.0]),
        calibration=[
            CalibrationBin(low=0.0, high=0.25, count=499, positives=51),
            CalibrationBin(low=0.25, high=1.0, count=498, positives=360),
        ],
        hidden={},
    )


def _audit() -> AuditSummary:
    train = Traffic(
        site="aachen",
        kind="train",
        sent=1021,
        sent_bytes=1_077_000_000,
        received=1020,
        received_bytes=1_076_000_000,
        refused=3,
    )
    return AuditSummary(
        lines=4711, head="d" * 64, traffic=[train], refused_requests={"unknown_key": 12}
    )


def _evidence() -> dict[str, Any]:
    half = {"value": 0.5, "low": 0.25, "high": 0.75}
    group = {"tp": 31, "fn": 9, "tn": 44, "fp": 16}
    rates = {
        "sensitivity": {"value": 0.775, "low": 0.625, "high": 0.877},
        "specificity": {"value": 0.733, "low": 0.61, "high": 0.829},
    }
    return {
        "slope": {"value": 1.21, "low": 0.98, "high": 1.44},
        "intercept": {"value": -0.17, "low": -0.41, "high": 0.07},
        "brier": 0.1373,
        "scores": {"edges": [-1.0, 0.0, 1.0], "no_metastasis": [300, 172, 80, 35]}
        | {"metastasis": [23, 50, 100, 238]},
        "decision_curve": [
            {"probability": 0.269, "model": 0.3011, "everybody": 0.1958},
            {"probability": 0.5, "model": 0.2234, "everybody": -0.1764},
        ],
        "subgroups": [
            {"variable": "sex", "level": "female", **group, **rates},
            {"variable": "sex", "level": "male", **group, **rates},
            {"variable": "age", "level": "under-50", **group, **rates},
        ],
        "agreement": {
            "scans": 25,
            "by_source": {
                source: dict.fromkeys(("pointing", "energy", "iou"), half)
                for source in ("model", "intensity", "body", "ceiling")
            },
        },
        "artefacts": {"outside-body": 0.3219},
    }
