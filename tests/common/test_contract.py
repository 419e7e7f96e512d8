"""The table of what may travel."""

from __future__ import annotations

import re
from itertools import chain

import pytest

from bs_common.architecture import Trainable, array_shapes, backbone_shapes
from bs_common.contract import (
    HISTOGRAM_BINS,
    REFUSAL_CODE,
    REPLY_METRICS,
    REPLY_TEXTS,
    REQUESTS_BY_ROLE,
    MessageType,
    reply_shapes,
    request_shapes,
)
from bs_common.metrics import HISTOGRAM_EDGES, histogram
from bs_common.settings import StudySettings

SCOPES: tuple[Trainable, ...] = ("head", "block5", "all")


def settings(trainable: Trainable = "head") -> StudySettings:
    return StudySettings(name="test", trainable=trainable)


def test_every_message_type_has_its_place_in_the_table() -> None:
    assert set(REPLY_METRICS) == set(REPLY_TEXTS) == set(MessageType)
    assert set(chain.from_iterable(REQUESTS_BY_ROLE.values())) == set(MessageType)


def test_the_judging_site_is_never_asked_to_train_or_to_validate() -> None:
    never = {MessageType.TRAIN, MessageType.EVALUATE, MessageType.INITIAL}

    assert not REQUESTS_BY_ROLE["evaluate"] & never


def test_a_training_site_is_never_asked_for_the_external_judgement() -> None:
    assert MessageType.EXTERNAL not in REQUESTS_BY_ROLE["train"]


def test_a_type_as_flower_writes_it_is_found_in_the_table() -> None:
    assert "query.external" in REQUESTS_BY_ROLE["evaluate"]
    assert "train" not in REQUESTS_BY_ROLE["evaluate"]


@pytest.mark.parametrize("trainable", SCOPES)
def test_what_is_sent_to_train_on_is_what_comes_back(trainable: Trainable) -> None:
    agreed = settings(trainable)

    assert request_shapes(MessageType.TRAIN, agreed) == reply_shapes(MessageType.TRAIN, agreed)
    assert list(reply_shapes(MessageType.TRAIN, agreed)) == list(array_shapes(trainable))


@pytest.mark.parametrize("kind", [MessageType.DESCRIBE, MessageType.INITIAL, MessageType.FINISH])
def test_a_question_about_no_model_carries_none(kind: MessageType) -> None:
    assert request_shapes(kind, settings("all")) == {}


@pytest.mark.parametrize(
    "kind", [MessageType.DESCRIBE, MessageType.EVALUATE, MessageType.EXTERNAL, MessageType.FINISH]
)
def test_no_array_leaves_but_weights(kind: MessageType) -> None:
    assert reply_shapes(kind, settings("all")) == {}


def test_the_start_carries_the_trainable_part_of_the_backbone() -> None:
    parts = [reply_shapes(MessageType.INITIAL, settings(scope)) for scope in SCOPES]

    assert parts[0] == {}
    assert parts[1] == backbone_shapes(blocks=("block5",))
    assert parts[2] == backbone_shapes()


def test_a_histogram_has_as_many_bins_as_the_contract_says() -> None:
    assert histogram([], []).shape == (2, HISTOGRAM_BINS)
    assert HISTOGRAM_BINS == len(HISTOGRAM_EDGES) + 1 == 256


def test_no_text_of_the_contract_leaves_room_for_a_sentence() -> None:
    for pattern in chain.from_iterable(texts.values() for texts in REPLY_TEXTS.values()):
        assert not re.fullmatch(pattern, "DOE^JOHN")
        assert not re.fullmatch(pattern, "a" * 100)
        assert not re.fullmatch(pattern, "1.0\n")


def test_refusal_codes_hold_capitals_digits_and_underscores_alone() -> None:
    assert re.fullmatch(REFUSAL_CODE, "E_VIEW_UNKNOWN")
    assert not any(re.fullmatch(REFUSAL_CODE, bad) for bad in ("E_", "E_view", "E_A B", "VIEW"))
