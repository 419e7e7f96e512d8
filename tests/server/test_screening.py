"""Which updates are admitted to the average."""

from __future__ import annotations

import numpy as np
import pytest

from bs_common.contract import MessageType
from bs_common.errors import ReplyRefused
from bs_common.messages import Metric, Reply
from bs_server.screening import Declared, admit_update

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
