"""Which figures of a reader study stay, for the few scans or the few people behind them."""

from __future__ import annotations

import pytest

from bs_client.federation.small_cells import hide_small_cells
from bs_client.federation.small_readers import small_readers
from bs_common.contract import QUARTILES, MessageType
from bs_common.messages import Metric, Reply

SPREADS = {f"unaided.{f}.{q}" for f in ("auc", "sensitivity", "specificity") for q in QUARTILES}
TABLE = {name for name in SPREADS if ".auc." not in name}
MODEL = {f"model.{f}{end}" for f in ("sensitivity", "specificity") for end in ("", "-low", "-high")}


def paper(**changes: Metric) -> dict[str, Metric]:
    """PAPER's six readers and 67 + 67 cases, with ten errors or more everywhere."""
    metrics: dict[str, Metric] = {"readers": 6, "synthetic": 0}
    metrics |= {"cases.metastasis": 67, "cases.no_metastasis": 67}
    metrics |= dict.fromkeys(SPREADS, 57 / 67) | dict.fromkeys(MODEL, 55 / 67)
    metrics |= {"unaided.mean-auc": 0.9, "unaided.minutes": 180.0, "model.auc": 0.95}
    metrics |= {"readers-minus-model": -0.05, "model.seconds-alone": 0.8}
    return metrics | {name.replace("__", "."): value for name, value in changes.items()}


def test_nothing_is_hidden_of_the_papers_study() -> None:
    assert small_readers(paper(), 5) == set()


@pytest.mark.parametrize("name", ["cases__metastasis", "cases__no_metastasis"])
def test_a_small_class_leaves_only_what_rests_on_no_scan(name: str) -> None:
    metrics = paper(**{name: 4})

    left = set(metrics) - small_readers(metrics, 5)

    assert left == {"readers", "synthetic", "model.seconds-alone"}


@pytest.mark.parametrize("count", [1, 4, 63, 66])
def test_a_share_that_stands_for_a_small_count_hides_the_whole_table(count: int) -> None:
    metrics = paper(model__sensitivity=count / 67)

    assert small_readers(metrics, 5) == MODEL


@pytest.mark.parametrize("count", [0, 5, 62, 67])
def test_a_share_of_nobody_everybody_or_enough_is_shown(count: int) -> None:
    assert small_readers(paper(model__specificity=count / 67), 5) == set()


def test_a_quartile_between_two_counts_is_a_count_too() -> None:
    metrics = {**paper(), "unaided.sensitivity.upper-quartile": 63.75 / 67}

    assert small_readers(metrics, 5) == TABLE


def test_one_readers_small_count_hides_every_readers_table_and_not_the_areas() -> None:
    each = {f"unaided.each-reader.{f}": [57 / 67] * 6 for f in ("auc", "sensitivity")}
    each["unaided.each-reader.sensitivity"] = [57 / 67] * 5 + [66 / 67]

    hidden = small_readers({**paper(), **each}, 5)

    assert hidden == TABLE | {"unaided.each-reader.sensitivity"}


def test_few_readers_hide_the_spread_between_them_and_keep_their_mean() -> None:
    hidden = small_readers(paper(readers=4), 5)

    assert hidden == SPREADS | {"unaided.minutes"}


def test_readers_whom_the_site_shows_one_by_one_are_shown_as_a_group_too() -> None:
    metrics = {**paper(readers=2), "unaided.each-reader.auc": [0.8, 0.9]}

    assert small_readers(metrics, 5) == set()


def test_where_the_scans_are_not_told_no_share_of_them_is() -> None:
    untold = {n: v for n, v in paper().items() if not n.startswith("cases.")}

    assert small_readers(untold, 5) == TABLE | MODEL


def test_the_gate_hides_them_by_name() -> None:
    reply = Reply(MessageType.READERS, 3, {}, paper(model__sensitivity=66 / 67))

    safe = hide_small_cells(reply, 5)

    assert set(safe.hidden) == MODEL
    assert not MODEL & set(safe.metrics)
