"""Putting the summary of a finished study together."""

from __future__ import annotations

import datetime
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version

from bs_common.contract import CONTRACT_VERSION
from bs_common.messages import Reply
from bs_common.profiles import differences_from_paper
from bs_server.config import StudyFile
from bs_server.evaluation.pooling import pool_external
from bs_server.federation.sites import is_synthetic
from bs_server.results.best_round import ChosenBy
from bs_server.results.comparison import Comparison
from bs_server.results.summary import ExternalSummary, RoundSummary, SiteSummary, Summary

_DEFAULT_MIN_CELL = 5


@dataclass(frozen=True, slots=True)
class Described:
    """All sites' descriptions: as they came, and as they stand in the summary."""

    sites: list[SiteSummary]
    replies: Mapping[str, Reply]


@dataclass(frozen=True, slots=True)
class Course:
    """What happened between the first round and the last."""

    started: datetime.datetime
    rounds: list[RoundSummary]
    best: RoundSummary
    chosen_by: ChosenBy
    external: list[ExternalSummary]  # each evaluate site's
    comparison: Comparison | None = None
    waiting_for_external: bool = False
    notes: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()


def summarise(
    file: StudyFile, described: Described, course: Course, *, finished: datetime.datetime
) -> Summary:
    """Give the study's summary; times are in UTC."""
    settings = file.study
    synthetic = is_synthetic(described.replies)
    return Summary(
        study=settings.name,
        settings=settings,
        settings_sha256=settings.digest(),
        synthetic=synthetic,
        started=_text(course.started),
        finished=_text(finished),
        differences=[*differences_from_paper(settings), *_open_cells(described.sites)],
        sites=described.sites,
        rounds=course.rounds,
        best_round=course.best.round,
        chosen_by=course.chosen_by,
        external=pool_external(course.external),
        external_sites=course.external,
        comparison=_marked(course.comparison, synthetic=synthetic),
        versions={
            "bs-server": version("bs-server"),
            "contract": str(CONTRACT_VERSION),
            "flwr": version("flwr"),
            "python": platform.python_version(),
        },
        weights_sha256=course.best.weights_sha256,
        outcome="waiting_for_external" if course.waiting_for_external else "finished",
        notes=list(course.notes),
        absent=list(course.absent),
    )


def _marked(comparison: Comparison | None, *, synthetic: bool) -> Comparison | None:
    """Let a comparison say by itself that its scans are synthetic: it is also a file of its own."""
    return comparison and comparison.model_copy(update={"synthetic": synthetic})


def _open_cells(sites: list[SiteSummary]) -> list[str]:
    """Say which sites let out counts smaller than the default allows."""
    return [
        f"{site.name}: min_cell = {site.min_cell} (default: {_DEFAULT_MIN_CELL})"
        for site in sites
        if site.min_cell is not None and site.min_cell < _DEFAULT_MIN_CELL
    ]


def _text(moment: datetime.datetime) -> str:
    return moment.astimezone(datetime.UTC).isoformat(timespec="seconds")
