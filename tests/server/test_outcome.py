"""The summary of a finished study, put together."""

from __future__ import annotations

import datetime

import pytest

from bs_common.settings import StudySettings
from bs_server.config import ServerSettings, StudyFile
from bs_server.outcome import Course, Described, summarise
from bs_server.results.summary import RoundSummary, SiteSummary, Summary

SETTINGS = StudySettings(name="test", rounds=3)
BEGUN = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)


def site(name: str, min_cell: int | None) -> SiteSummary:
    return SiteSummary(
        name=name,
        role="train",
        key_sha256="0" * 64,
        device="cpu",
        versions={},
        backbone_sha256="0" * 64,
        cohort=[],
        refused={},
        min_cell=min_cell,
        hidden={},
    )


def entry(number: int) -> RoundSummary:
    return RoundSummary(
        round=number,
        pooled_auc=0.5,
        pooled_auc_bound=0.0,
        validation_loss=0.5,
        validation_examples=10,
        weights_sha256=str(number) * 64,
        seconds=1.0,
        sites=[],
        hidden={},
    )


def summary(*sites: SiteSummary, finished: datetime.datetime = BEGUN) -> Summary:
    file = StudyFile(study=SETTINGS, server=ServerSettings(address="a:1"))
    rounds = [entry(number) for number in range(4)]
    course = Course(BEGUN, rounds, rounds[2], "pooled_auc", [])
    return summarise(file, Described(list(sites), {}), course, finished=finished)


def test_the_summary_names_the_best_round_and_its_weights() -> None:
    made = summary(site("aachen", 5))

    assert (made.best_round, made.weights_sha256) == (2, "2" * 64)
    assert made.settings_sha256 == SETTINGS.digest()


def test_times_are_told_in_utc() -> None:
    aachen_time = datetime.timezone(datetime.timedelta(hours=2))
    end = datetime.datetime(2026, 7, 1, 1, 30, tzinfo=aachen_time)

    made = summary(finished=end)

    assert made.started == "2026-01-02T03:04:05+00:00"
    assert made.finished == "2026-06-30T23:30:00+00:00"


@pytest.mark.parametrize(("min_cell", "told"), [(1, True), (4, True), (5, False), (10, False)])
def test_a_site_that_lets_out_smaller_counts_than_usual_is_told(min_cell: int, told: bool) -> None:
    differences = summary(site("aachen", min_cell)).differences

    assert ("rounds = 3 (paper: 6)" in differences) is True
    assert (f"aachen: min_cell = {min_cell} (default: 5)" in differences) is told


def test_the_versions_that_computed_it_are_told() -> None:
    assert set(summary().versions) == {"bs-server", "contract", "flwr", "python"}
