"""Which updates are admitted to the average."""

from __future__ import annotations

import numpy as np
import pytest

from bs_common.contract import MessageType
from bs_common.errors import ReplyRefused
from bs_common.messages import Metric, Reply
from bs_server.federation.screening import (
    Declared,
    admit_norm,
    admit_update,
    bound_after,
    update_norm,
)
from bs_server.results.summary import RoundSummary, SiteRound

ARRAYS = {"w": np.zeros(1, np.float32)}


def reply(examples: Metric) -> Reply:
    return Reply(MessageType.TRAIN, 1, ARRAYS, {"num-examples": examples})


def test_an_update_of_twice_the_declared_positives_is_admitted() -> None:
    update = admit_update(reply(44), Declared(train_positives=22))

    assert update.num_examples == 44
    assert update.arrays is ARRAYS


@pytest.mark.parametrize("examples", [22, 43, 45, 46, 44_000, 0, -44, 44.0])
def test_any_other_number_of_examples_is_refused(examples: Metric) -> None:
    with pytest.raises(ReplyRefused) as refused:
        admit_update(reply(examples), Declared(train_positives=22))
    assert refused.value.reason == "example_count"


def test_where_positives_are_hidden_any_even_number_is_admitted() -> None:
    assert admit_update(reply(46), Declared(train_positives=None)).num_examples == 46


@pytest.mark.parametrize("examples", [0, -2, 45, 46.0])
def test_where_positives_are_hidden_odd_and_empty_numbers_are_refused(examples: Metric) -> None:
    with pytest.raises(ReplyRefused):
        admit_update(reply(examples), Declared(train_positives=None))


def test_a_site_that_declared_no_positive_has_no_update() -> None:
    with pytest.raises(ReplyRefused):
        admit_update(reply(2), Declared(train_positives=0))


def trained(number: int, *norms: float) -> RoundSummary:
    sites = [
        SiteRound(
            name=f"s{k}",
            verdict="accepted",
            num_examples=2,
            loss=1.0,
            accuracy=0.5,
            update_norm=norm,
        )
        for k, norm in enumerate(norms)
    ]
    return RoundSummary(
        round=number,
        pooled_auc=None,
        pooled_auc_bound=None,
        validation_loss=1.0,
        validation_examples=1,
        weights_sha256="a" * 64,
        seconds=None,
        sites=sites,
        hidden={},
    )


def test_the_norm_is_the_length_of_the_whole_change() -> None:
    sent = {"w": np.zeros(2, np.float32), "b": np.ones(1, np.float32)}
    back = {"w": np.array([2.0, 3.0], np.float32), "b": np.array([7.0], np.float32)}

    assert update_norm(back, sent) == 7.0  # 2, 3, 6


def test_the_squares_of_large_numbers_do_not_overflow() -> None:
    large = {"w": np.full(4, 1e38, np.float32)}

    assert update_norm(large, {"w": -large["w"]}) == pytest.approx(4e38)


def test_a_change_beyond_the_numbers_is_infinite_and_refused_even_without_a_bound() -> None:
    huge = {"w": np.full(4, 3e38, np.float32)}
    norm = update_norm(huge, {"w": -huge["w"]})

    assert norm == float("inf")
    with pytest.raises(ReplyRefused):
        admit_norm(norm, float("inf"))


def test_the_bound_is_a_multiple_of_the_median_of_the_last_rounds() -> None:
    rounds = [trained(0), trained(1, 1.0, 2.0, 4.0), trained(2, 3.0, 2.0)]

    assert bound_after(rounds, 10.0).of([1e9]) == pytest.approx(20.0)


def test_rounds_of_long_ago_do_not_count() -> None:
    rounds = [trained(k, 100.0) for k in range(1, 6)] + [trained(k, 1.0) for k in range(6, 11)]

    assert bound_after(rounds, 10.0).of([]) == pytest.approx(10.0)


def test_of_two_sites_neither_decides_alone_what_is_usual() -> None:
    rounds = [trained(k, 1.0, 9.0) for k in range(1, 4)]

    assert bound_after(rounds, 10.0).of([]) == pytest.approx(30.0)


def test_in_the_first_round_the_present_updates_measure_each_other() -> None:
    bound = bound_after([trained(0)], 10.0).of([1.0, 2.0, 5e6])

    assert bound == pytest.approx(20.0)


def test_later_the_present_updates_do_not_raise_their_own_bound() -> None:
    rounds = [trained(1, 1.0, 1.0), trained(2, 1.0, 1.0)]

    assert bound_after(rounds, 10.0).of([5e6, 5e6]) == pytest.approx(10.0)


def test_without_any_norm_there_is_no_bound() -> None:
    assert bound_after([], 10.0).of([]) == float("inf")
    assert bound_after([trained(1, 0.0)], 10.0).of([0.0]) == float("inf")


@pytest.mark.parametrize("norm", [10.1, float("inf"), float("nan")])
def test_a_norm_above_the_bound_is_refused_by_its_name(norm: float) -> None:
    with pytest.raises(ReplyRefused) as refused:
        admit_norm(norm, 10.0)
    assert refused.value.reason == "update_norm"


def test_a_norm_at_the_bound_is_admitted() -> None:
    admit_norm(10.0, 10.0)
