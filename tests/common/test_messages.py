"""Requests and replies inside a Flower message: what passes, and the rule that stops the rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, MetricRecord, RecordDict
from flwr.common.serde import recorddict_from_proto, recorddict_to_proto

from bs_common.architecture import initial_head
from bs_common.contract import COHORT_CELLS, CONTRACT_VERSION, HISTOGRAM_BINS, MessageType
from bs_common.errors import ContractError
from bs_common.messages import (
    Metric,
    Reply,
    Request,
    read_reply,
    read_request,
    write_reply,
    write_request,
)
from bs_common.settings import StudySettings

SETTINGS = StudySettings(name="test", trainable="head", rounds=3)
HEAD = initial_head(1)
TEXTS = {
    "backbone-sha256": "a" * 64,
    "device": "NVIDIA H200 (1)",
    "version.bs-client": "0.1.0",
    "version.python": "3.11.4",
    "version.keras": "3.15.0",
    "version.backend": "tensorflow 2.21.0",
    "version.flwr": "1.41.0",
}


def describe_reply() -> Reply:
    metrics: dict[str, Metric] = {**dict.fromkeys(COHORT_CELLS, 20), "refused.E_VIEW": 7}
    metrics |= {"synthetic": 0, "min-cell": 5}
    return Reply(MessageType.DESCRIBE, 0, {}, metrics, TEXTS)


def train_reply() -> Reply:
    metrics: dict[str, Metric] = {"num-examples": 44, "loss": 0.5, "accuracy": 0.75}
    return Reply(MessageType.TRAIN, 2, HEAD, metrics)


def evaluate_reply() -> Reply:
    metrics: dict[str, Metric] = {"num-examples": 16, "loss": 0.5}
    metrics |= {"histogram.metastasis": [0] * HISTOGRAM_BINS}
    metrics |= {"histogram.no_metastasis": [1] * HISTOGRAM_BINS}
    return Reply(MessageType.EVALUATE, 2, {}, metrics)


def local_reply() -> Reply:
    metrics = {**evaluate_reply().metrics, "best-round": 2, "train-examples": 44}
    return Reply(MessageType.LOCAL, 0, HEAD, metrics, {"start-sha256": "c" * 64})


def external_reply() -> Reply:
    metrics: dict[str, Metric] = {"tp": 7, "fn": 1, "tn": 6, "fp": 2, "overlays": 9}
    metrics |= {"auc": 0.9, "auc-low": 0.8, "auc-high": 1.0}
    metrics |= {"histogram.metastasis": [1, 7], "histogram.no_metastasis": [6, 2]}
    metrics |= {"histogram.edges": [25], "brier": 0.1}
    return Reply(
        MessageType.EXTERNAL, 3, {}, metrics, {"weights-sha256": "b" * 64, "compared-sha256": ""}
    )


REPLIES = [
    describe_reply(),
    Reply(MessageType.INITIAL, 0),
    train_reply(),
    local_reply(),
    evaluate_reply(),
    external_reply(),
    Reply(MessageType.FINISH, 0),
]


def over_the_wire(content: RecordDict) -> RecordDict:
    return recorddict_from_proto(recorddict_to_proto(content))


def same(one: Reply, other: Reply) -> bool:
    plain = all(
        getattr(one, name) == getattr(other, name)
        for name in ("message_type", "round_number", "metrics", "texts", "hidden")
    )
    return plain and all(np.array_equal(one.arrays[n], other.arrays[n]) for n in HEAD if one.arrays)


@pytest.mark.parametrize("reply", REPLIES, ids=lambda reply: reply.message_type.value)
def test_a_reply_arrives_as_it_was_sent(reply: Reply) -> None:
    content = over_the_wire(write_reply(reply, SETTINGS))

    assert same(read_reply(reply.message_type.value, content, SETTINGS), reply)


@pytest.mark.parametrize("kind", list(MessageType))
def test_a_request_arrives_as_it_was_sent(kind: MessageType) -> None:
    model = {MessageType.TRAIN, MessageType.EVALUATE, MessageType.EXTERNAL}
    numbers = {"threshold": 0.5} if kind is MessageType.EXTERNAL else {}
    sent = Request(kind, 3, HEAD if kind in model else {}, numbers)

    read = read_request(kind.value, over_the_wire(write_request(sent, SETTINGS)), SETTINGS)

    assert (read.message_type, read.round_number) == (kind, 3)
    assert list(read.arrays) == list(sent.arrays)
    assert all(np.array_equal(read.arrays[name], array) for name, array in sent.arrays.items())


COMPARING = SETTINGS.model_copy(update={"compare_local": True})


def three_models(**numbers: Any) -> Request:
    others = tuple({n: a + np.float32(k) for n, a in HEAD.items()} for k in (1, 2))
    given: dict[str, Metric] = {"threshold": 0.5, "compared-thresholds": [0.25, 0.75]}
    given |= numbers
    return Request(MessageType.EXTERNAL, 3, HEAD, given, others)


def test_models_to_be_compared_arrive_in_their_order() -> None:
    sent = three_models()

    content = over_the_wire(write_request(sent, COMPARING))
    read = read_request("query.external", content, COMPARING)

    assert (read.models, read.numbers) == (3, sent.numbers)
    for found, expected in zip(read.compared, sent.compared, strict=True):
        assert all(np.array_equal(found[name], expected[name]) for name in HEAD)


def reason_of_three(settings: Any, change: Any = lambda content: None, **numbers: Any) -> str:
    content = write_request(three_models(**numbers), settings)
    change(content)
    with pytest.raises(ContractError) as refused:
        read_request("query.external", content, settings)
    return refused.value.reason


def test_models_are_compared_only_where_that_was_agreed() -> None:
    assert reason_of_three(SETTINGS) == "unknown_record"


@pytest.mark.parametrize("thresholds", [[], [0.5], [0.5] * 3])
def test_every_model_compared_has_one_threshold(thresholds: list[float]) -> None:
    assert reason_of_three(COMPARING, **{"compared-thresholds": thresholds}) == "length"


def test_a_model_compared_is_checked_as_any_other() -> None:
    def too_many(content: RecordDict) -> None:
        for place in range(3, 9):
            content[f"compared-{place}"] = content["compared-1"]

    def unnamed(content: RecordDict) -> None:
        content["compared-x"] = content.pop("compared-2")

    def broken(content: RecordDict) -> None:
        array = content.array_records["compared-2"]["weights"]
        array.data = array.data[:-4] + np.float32("nan").tobytes()

    assert reason_of_three(COMPARING, too_many) == "unknown_record"
    assert reason_of_three(COMPARING, unnamed) == "unknown_record"
    assert reason_of_three(COMPARING, broken) == "not_finite"


Change = Callable[[RecordDict], object]


def config(key: str, value: Any) -> Change:
    return lambda content: content.config_records["config"].__setitem__(key, value)


def metric(key: str, value: Any) -> Change:
    def change(content: RecordDict) -> None:
        # As it would come off the wire, past the checks of Flower's constructor.
        vars(content.metric_records["metrics"])["_data"][key] = value

    return change


def without(record: str, key: str) -> Change:
    return lambda content: content[record].__delitem__(key)


def record(name: str, value: Any) -> Change:
    return lambda content: content.__setitem__(name, value)


def reason_of_reply(reply: Reply, *changes: Change, kind: str | None = None) -> str:
    with pytest.raises(ContractError) as refused:
        content = write_reply(reply, SETTINGS)
        for change in changes:
            change(content)
        read_reply(kind or reply.message_type.value, content, SETTINGS)
    assert "JOHN" not in str(refused.value)
    return refused.value.reason


def reason_of_request(request: Request, *changes: Change, kind: str | None = None) -> str:
    with pytest.raises(ContractError) as refused:
        content = write_request(request, SETTINGS)
        for change in changes:
            change(content)
        read_request(kind or request.message_type.value, content, SETTINGS)
    return refused.value.reason


HEADER_FAULTS = [
    (config("contract", CONTRACT_VERSION + 1), "contract_version"),
    (config("contract", 0), "contract_version"),
    (config("contract", True), "contract_version"),
    (config("contract", float(CONTRACT_VERSION)), "contract_version"),
    (without("config", "contract"), "contract_version"),
    (config("settings-sha256", "0" * 64), "settings_changed"),
    (config("settings-sha256", 1), "settings_changed"),
    (without("config", "settings-sha256"), "settings_changed"),
    (config("round", -1), "round"),
    (config("round", 4), "round"),
    (config("round", 1.0), "round"),
    (config("round", True), "round"),
    (config("round", "1"), "round"),
    (without("config", "round"), "round"),
]


@pytest.mark.parametrize(("change", "reason"), HEADER_FAULTS)
def test_a_reply_with_another_version_study_or_round_is_refused(
    change: Change, reason: str
) -> None:
    assert reason_of_reply(train_reply(), change) == reason


@pytest.mark.parametrize(("change", "reason"), HEADER_FAULTS)
def test_a_request_with_another_version_study_or_round_is_refused(
    change: Change, reason: str
) -> None:
    assert reason_of_request(Request(MessageType.TRAIN, 1, HEAD), change) == reason


def test_one_changed_setting_is_enough_to_be_refused() -> None:
    content = write_request(Request(MessageType.DESCRIBE, 0), SETTINGS)
    other = SETTINGS.model_copy(update={"learning_rate": 1.1e-4})

    with pytest.raises(ContractError, match="settings") as refused:
        read_request("query.describe", content, other)
    assert refused.value.reason == "settings_changed"
    assert "join again" in refused.value.remedy


@pytest.mark.parametrize(
    "kind", ["query.weights", "query", "Train", "train.x", "", "query.DESCRIBE"]
)
def test_an_unknown_type_is_refused_both_ways(kind: str) -> None:
    request = Request(MessageType.DESCRIBE, 0)

    assert reason_of_request(request, kind=kind or " ") == "unknown_type"
    assert reason_of_reply(describe_reply(), kind=kind or " ") == "unknown_type"


RECORD_FAULTS: list[Change] = [
    record("more", ConfigRecord({"name": "JOHN^DOE"})),
    record("more", ArrayRecord()),
    record("config", MetricRecord()),
    lambda content: content.__delitem__("config"),
    lambda content: content.__delitem__("arrays"),
    record("arrays", ConfigRecord()),
]


@pytest.mark.parametrize("change", RECORD_FAULTS)
def test_missing_further_or_exchanged_records_are_refused(change: Change) -> None:
    assert reason_of_reply(train_reply(), change) == "unknown_record"
    request = Request(MessageType.TRAIN, 1, HEAD)
    assert reason_of_request(request, change) == "unknown_record"


def test_arrays_where_none_are_asked_for_are_neither_written_nor_read() -> None:
    extra = record("arrays", ArrayRecord({"weights": Array(np.zeros(3, np.float32))}))

    assert reason_of_reply(Reply(MessageType.FINISH, 0, HEAD)) == "unknown_record"
    assert reason_of_request(Request(MessageType.DESCRIBE, 0, HEAD)) == "unknown_record"
    assert reason_of_reply(Reply(MessageType.FINISH, 0), extra) == "unknown_record"
    assert reason_of_request(Request(MessageType.DESCRIBE, 0), extra) == "unknown_record"


def test_wrong_arrays_are_refused_by_their_own_rule() -> None:
    broken = {name: array * np.float32(np.nan) for name, array in HEAD.items()}
    fewer = {name: HEAD[name] for name in list(HEAD)[:3]}

    assert reason_of_request(Request(MessageType.TRAIN, 1, broken)) == "not_finite"
    assert reason_of_request(Request(MessageType.TRAIN, 1, fewer)) == "array_names"
    reply = train_reply()
    assert reason_of_reply(Reply(reply.message_type, 2, broken, reply.metrics)) == "not_finite"


def test_an_unknown_entry_in_a_request_is_refused() -> None:
    request = Request(MessageType.DESCRIBE, 0)

    assert reason_of_request(request, config("path", "/etc/passwd")) == "unknown_key"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (config("note", "JOHN^DOE"), "unknown_key"),
        (without("config", "device"), "unknown_key"),
        (config("device", "JOHN^DOE"), "text"),
        (config("device", "a" * 65), "text"),
        (config("device", ""), "text"),
        (config("device", "cpu\n"), "text"),
        (config("device", 5), "text"),
        (config("device", b"cpu"), "text"),
        (config("backbone-sha256", "A" * 64), "text"),
        (config("backbone-sha256", "a" * 63), "text"),
        (config("version.backend", "tensorflow"), "text"),
        (config("version.python", "3.11 on JOHN"), "text"),
        (config("hidden", "tp;fn"), "text"),
        (config("hidden", ",".join(["train.metastasis"] * 1000)), "text"),
        (config("hidden", 0), "text"),
        (without("config", "hidden"), "text"),
    ],
)
def test_a_text_of_another_name_or_form_is_refused(change: Change, reason: str) -> None:
    assert reason_of_reply(describe_reply(), change) == reason


@pytest.mark.parametrize(
    ("reply", "change", "reason"),
    [
        (train_reply(), metric("patient-age", 64), "unknown_key"),
        (train_reply(), metric("refused.E_VIEW", 64), "unknown_key"),
        (describe_reply(), metric("refused.*", 1), "unknown_key"),
        (describe_reply(), metric("refused.JOHN", 1), "unknown_key"),
        (describe_reply(), metric("refused.E_JOHN^DOE", 1), "unknown_key"),
        (describe_reply(), metric("train.E_VIEW", 1), "unknown_key"),
        (train_reply(), without("metrics", "loss"), "missing_key"),
        (describe_reply(), without("metrics", "train.metastasis"), "missing_key"),
        (train_reply(), metric("num-examples", 44.0), "number_type"),
        (train_reply(), metric("num-examples", True), "number_type"),
        (train_reply(), metric("loss", 1), "number_type"),
        (train_reply(), metric("loss", True), "number_type"),
        (train_reply(), metric("loss", float("nan")), "number_type"),
        (train_reply(), metric("loss", float("inf")), "number_type"),
        (train_reply(), metric("num-examples", 0), "number_range"),
        (train_reply(), metric("num-examples", -44), "number_range"),
        (train_reply(), metric("num-examples", 10**7 + 1), "number_range"),
        (train_reply(), metric("loss", -0.1), "number_range"),
        (train_reply(), metric("accuracy", 1.01), "number_range"),
        (describe_reply(), metric("synthetic", 2), "number_range"),
        (describe_reply(), metric("min-cell", 0), "number_range"),
        (train_reply(), metric("loss", [0.5]), "length"),
        (evaluate_reply(), metric("histogram.metastasis", 5), "length"),
        (evaluate_reply(), metric("histogram.metastasis", [0] * 255), "length"),
        (evaluate_reply(), metric("histogram.metastasis", [0] * 257), "length"),
        (evaluate_reply(), metric("histogram.metastasis", []), "length"),
        (evaluate_reply(), metric("histogram.metastasis", [0.0] * 256), "number_type"),
        (evaluate_reply(), metric("histogram.metastasis", [False] * 256), "number_type"),
        (evaluate_reply(), metric("histogram.metastasis", [0] * 255 + [-1]), "number_range"),
        (external_reply(), metric("histogram.metastasis", [0] * 257), "length"),
        (external_reply(), metric("histogram.metastasis", [1, 3, 4]), "length"),
        (external_reply(), metric("histogram.edges", [25, 26]), "length"),
        (external_reply(), metric("histogram.edges", [51]), "edges"),
        (external_reply(), metric("histogram.edges", [0.5]), "number_type"),
        (external_reply(), metric("masks", 1.0), "number_type"),
        (external_reply(), metric("subgroup.sex.female.tp", -1), "number_range"),
        (external_reply(), metric("subgroup.sex.unknown.tp", 9), "unknown_key"),
        (external_reply(), metric("agreement.model.pointing", 1.5), "number_range"),
    ],
)
def test_a_number_of_another_name_type_range_or_length_is_refused(
    reply: Reply, change: Change, reason: str
) -> None:
    assert reason_of_reply(reply, change) == reason


def test_merged_cells_may_be_fewer_than_the_bins() -> None:
    reply = external_reply()

    content = over_the_wire(write_reply(reply, SETTINGS))

    assert read_reply("query.external", content, SETTINGS).metrics["histogram.metastasis"] == [1, 7]


def test_a_hidden_number_is_absent_and_named() -> None:
    full = describe_reply()
    names = ("refused.E_" + "X" * 32, "train.metastasis", "train.no_metastasis")
    metrics = {name: value for name, value in full.metrics.items() if name not in names}
    reply = Reply(full.message_type, 0, {}, metrics, full.texts, hidden=names)

    content = over_the_wire(write_reply(reply, SETTINGS))

    assert read_reply("query.describe", content, SETTINGS).hidden == names


@pytest.mark.parametrize(
    ("reply", "changes", "reason"),
    [
        (describe_reply(), (config("hidden", "train.metastasis"),), "hidden"),
        (train_reply(), (config("hidden", "loss"), without("metrics", "loss")), "missing_key"),
        (train_reply(), (config("hidden", "tp"),), "unknown_key"),
        (describe_reply(), (config("hidden", "refused.JOHN"),), "unknown_key"),
        (describe_reply(), (config("hidden", "refused.*"),), "text"),
    ],
)
def test_hiding_what_is_sent_or_must_be_sent_or_is_unknown_is_refused(
    reply: Reply, changes: tuple[Change, ...], reason: str
) -> None:
    assert reason_of_reply(reply, *changes) == reason
