"""Attacks in what is sent: a coordinator that asks for more than was agreed, a site that sends it.

Each is refused by whoever receives it, and is in both audit logs with its reason.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Error, Message, MetricRecord, RecordDict

from bs_client.config import Policy
from bs_client.federation.link import work_until
from bs_client.federation.session import take_part
from bs_client.federation.transport import Coordinator
from bs_common.architecture import parameter_count
from bs_common.audit import read_entries
from bs_common.contract import MessageType
from bs_common.keys import read_private_key
from bs_common.messages import Reply, Request, write_reply
from bs_common.settings import StudySettings
from bs_common.sizes import message_limits
from bs_common.toml import write_toml
from bs_server.federation.exchange import NoAnswer
from support.attacked import (
    SETTINGS,
    Attacked,
    attacked,
    request,
    site_past_its_gate,
    site_with_gate,
    wait_for,
    weights,
)
from support.fake_site import FakeWork
from support.hostile_coordinator import Hostile, hostile_coordinator
from support.study_maker import HOST, approve

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

PATIENT = "DOE^JANE"
WEIGHTS = parameter_count("head")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    with attacked(tmp_path_factory.mktemp("messages")) as opened:
        yield opened


@pytest.fixture
def under(running: Attacked) -> Attacked:
    running.news()
    return running


class Careless(FakeWork):
    """Work whose answer is changed before it reaches the gate."""

    def __init__(self, name: str) -> None:
        super().__init__(name, SETTINGS)
        self.change: Callable[[Reply], Reply] = lambda reply: reply

    def train(self, request: Request) -> Reply:
        return self.change(super().train(request))


@dataclass
class Gated:
    """A site with its gate: its work, and its own audit log."""

    work: Careless
    log: Path


@pytest.fixture(scope="module")
def aachen(running: Attacked) -> Iterator[Gated]:
    work = Careless("aachen")
    with site_with_gate(running, "aachen", work) as log:
        yield Gated(work, log)


class Ungated:
    """A site without a gate: it answers what it likes."""

    def __init__(self) -> None:
        self.answer: Callable[[Message], Message] = lambda message: message

    def handle(self, message: Message) -> Message:
        return self.answer(message)


@pytest.fixture(scope="module")
def aalborg(running: Attacked) -> Iterator[Ungated]:
    site = Ungated()
    with site_past_its_gate(running, "aalborg", site.handle):
        yield site


# --- a coordinator against a site


def with_array(name: str, array: np.ndarray) -> Callable[[RecordDict], None]:
    def change(content: RecordDict) -> None:
        content.array_records["arrays"][name] = Array(array)

    return change


def with_entry(name: str, value: str | int | bytes) -> Callable[[RecordDict], None]:
    def change(content: RecordDict) -> None:
        content.config_records["config"][name] = value

    return change


def with_record(content: RecordDict) -> None:
    content["more"] = MetricRecord({"a": 1})


OTHER = StudySettings(name="attacked", backbone="random:1", trainable="head", rounds=30)
ASKED_WRONGLY: list[tuple[str, Callable[[RecordDict], None], str]] = [
    ("train", with_array("weights", np.zeros(3, np.float32)), "array_shape"),
    ("train", with_array("weights", np.zeros(2, np.float64)), "array_dtype"),
    ("train", with_array("weights", np.full(WEIGHTS, np.nan, np.float32)), "not_finite"),
    ("train", with_array("one_more", np.zeros(2, np.float32)), "array_names"),
    ("train", with_entry("round", 4), "round"),
    ("train", with_entry("code", b"import os"), "unknown_key"),
    ("train", with_record, "unknown_record"),
    ("query.external", lambda content: None, "not_for_this_role"),
    ("query.pixels", lambda content: None, "not_for_this_role"),
    ("query", lambda content: None, "not_for_this_role"),
]


@pytest.mark.parametrize(("kind", "change", "reason"), ASKED_WRONGLY)
def test_a_site_refuses_what_was_not_agreed(
    under: Attacked,
    aachen: Gated,
    kind: str,
    change: Callable[[RecordDict], None],
    reason: str,
) -> None:
    content = request(MessageType.TRAIN)
    change(content)
    aachen.work.seen.clear()

    reply = under.send("aachen", kind, content)

    assert reply.has_error()
    assert reply.error.reason == reason
    assert aachen.work.seen == []
    assert read_entries(aachen.log)[-1]["verdict"] == reason


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (with_entry("settings-sha256", OTHER.digest()), "settings_changed"),
        (with_entry("contract", 99), "contract_version"),
    ],
)
def test_a_site_is_asked_no_more_by_a_study_that_it_did_not_approve(
    under: Attacked, change: Callable[[RecordDict], None], reason: str
) -> None:
    content = request(MessageType.DESCRIBE)
    change(content)
    work = FakeWork("namur", SETTINGS)

    with site_with_gate(under, "namur", work) as log:
        reply = under.send("namur", "query.describe", content)
        wait_for(lambda: "namur" not in under.link.online())

    assert reply.has_error()
    assert reply.error.reason == reason
    assert work.seen == []
    assert read_entries(log)[-1]["verdict"] == reason


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        (Policy(messages=(MessageType.DESCRIBE, MessageType.FINISH)), "policy_message"),
        (Policy(scopes=("block5",)), "policy_scope"),
        (Policy(max_rounds=0), "policy_rounds"),
    ],
)
def test_a_request_outside_the_sites_own_policy_is_refused_and_both_sides_have_the_code(
    under: Attacked, policy: Policy, reason: str
) -> None:
    folder = under.study.sites["namur"]
    before = folder.read()
    write_toml(folder.site_file, before.model_copy(update={"policy": policy}))
    kind = MessageType.EXTERNAL
    work = FakeWork("namur", SETTINGS)

    try:
        with site_with_gate(under, "namur", work) as log:
            answer = under.ask("namur", kind)
    finally:
        write_toml(folder.site_file, before)

    assert answer == NoAnswer(reason)
    assert work.seen == []
    assert read_entries(log)[-1]["verdict"] == reason
    assert under.news()[-1] == ("namur", reason)


@pytest.mark.usefixtures("aachen")
def test_a_site_lets_no_model_of_its_own_out_that_was_not_agreed_on(under: Attacked) -> None:
    answer = under.ask("aachen", MessageType.LOCAL)

    assert answer == NoAnswer("not_agreed")
    assert under.news()[-1] == ("aachen", "not_agreed")


def test_an_evaluate_site_does_not_train(under: Attacked) -> None:
    with site_with_gate(under, "namur"):
        answer = under.ask("namur", MessageType.TRAIN)

    assert answer == NoAnswer("not_for_this_role")
    assert under.news()[-1] == ("namur", "not_for_this_role")


@pytest.mark.parametrize(
    "hostile",
    [
        Hostile(),
        Hostile(objects=10_000),
        Hostile(objects=200, content=bytes(1_000_000)),
        Hostile(parts=1),
        Hostile(headers={"content-encoding": "gzip"}),
        Hostile(status=307, headers={"location": "https://elsewhere.example/"}),
    ],
    ids=["1 GiB", "many objects", "many large objects", "garbage", "compressed", "redirected"],
)
def test_a_site_reads_no_more_than_the_largest_message_of_its_study(
    under: Attacked, hostile: Hostile, caplog: pytest.LogCaptureFixture
) -> None:
    stop = threading.Event()
    seen: list[Message] = []
    key = read_private_key(under.study.sites["aachen"].key)

    def handle(message: Message) -> Message:
        seen.append(message)
        stop.set()
        return Message(Error(1, message.error.reason), reply_to=message)

    with hostile_coordinator(under.authority, hostile):
        coordinator = Coordinator(
            f"{HOST}:{hostile.port}", under.ca_certificate, limits=message_limits(SETTINGS)
        )
        thread = threading.Thread(
            target=work_until, args=(stop, coordinator, key, handle), daemon=True
        )
        thread.start()
        wait_for(lambda: seen or "no connection" in caplog.text)
        stop.set()
        thread.join(10)

    assert hostile.sent < 2**25  # 1.1 MB are read; the rest lies in the sockets' buffers
    assert all(message.error.reason == "too_large" for message in seen)


def test_a_message_of_a_gibibyte_is_in_the_site_s_log(under: Attacked) -> None:
    folder = under.study.sites["namur"]
    address = folder.read_invitation().address
    stop = threading.Event()

    def refusals() -> list[object]:
        entries = read_entries(folder.audit) if folder.audit.exists() else []
        return [entry["direction"] for entry in entries if entry["verdict"] == "too_large"]

    with hostile_coordinator(under.authority, Hostile()) as hostile:
        approve(folder, address=f"{HOST}:{hostile.port}")
        thread = threading.Thread(
            target=take_part, args=(folder, FakeWork("namur", SETTINGS), stop), daemon=True
        )
        thread.start()
        wait_for(lambda: len(refusals()) >= 2)
        stop.set()
        thread.join(10)
        approve(folder, address=address)

    assert refusals()[:2] == ["in", "out"]


# --- a site against the coordinator: a program that has no gate


def train_reply() -> Reply:
    return FakeWork("aalborg", SETTINGS).train(Request(MessageType.TRAIN, 1, weights()))


def sent(change: Callable[[RecordDict], None]) -> Callable[[Message], Message]:
    def handle(message: Message) -> Message:
        content = write_reply(train_reply(), SETTINGS)
        change(content)
        return Message(content, reply_to=message)

    return handle


def with_metric(name: str, value: float | list[float]) -> Callable[[RecordDict], None]:
    def change(content: RecordDict) -> None:
        content.metric_records["metrics"][name] = value

    return change


def without_arrays(content: RecordDict) -> None:
    del content["arrays"]


def with_pickled(content: RecordDict) -> None:
    array = content.array_records["arrays"]["weights"]
    content.array_records["arrays"]["weights"] = Array(
        dtype="object", shape=(2,), stype="numpy.ndarray", data=array.data
    )


def with_second_arrays(content: RecordDict) -> None:
    content["pixels"] = ArrayRecord({"a": Array(np.zeros((64, 32), np.float32))})


SENT_WRONGLY: list[tuple[Callable[[RecordDict], None], str]] = [
    (with_array("weights", np.full(WEIGHTS, np.nan, np.float32)), "not_finite"),
    (with_array("weights", np.full(WEIGHTS, np.inf, np.float32)), "not_finite"),
    (with_array("one_more", np.zeros(2, np.float32)), "array_names"),
    (with_array("weights", np.zeros(2, np.int32)), "array_dtype"),
    (with_array("weights", np.zeros((1, 2), np.float32)), "array_shape"),
    (with_metric("num-examples", 10**15), "number_range"),
    (with_metric("num-examples", -1), "number_range"),
    (with_metric("num-examples", 0.5), "number_type"),
    (with_metric("loss", float("nan")), "number_type"),
    (with_metric("scores", [0.1, 0.2]), "unknown_key"),
    (with_entry("note", PATIENT), "unknown_key"),
    (with_entry("hidden", PATIENT), "text"),
    (with_pickled, "array_dtype"),
    (without_arrays, "unknown_record"),
    (with_second_arrays, "unknown_record"),
]


@pytest.mark.parametrize(("change", "reason"), SENT_WRONGLY)
def test_the_coordinator_refuses_what_no_gate_lets_out(
    under: Attacked, aalborg: Ungated, change: Callable[[RecordDict], None], reason: str
) -> None:
    aalborg.answer = sent(change)

    assert under.ask("aalborg", MessageType.TRAIN) == NoAnswer(reason)
    assert under.news()[-1] == ("aalborg", reason)
    assert PATIENT not in under.log.read_text()


@pytest.mark.parametrize("said", [PATIENT, "x" * 400])
def test_words_in_place_of_a_code_are_not_kept(
    under: Attacked, aalborg: Ungated, said: str
) -> None:
    aalborg.answer = lambda message: Message(Error(7, said), reply_to=message)

    assert under.ask("aalborg", MessageType.TRAIN) == NoAnswer("unreadable_reason")
    assert said not in under.log.read_text()


def many_arrays() -> dict[str, Array]:
    return {f"a{number}": Array(np.full(2, number, np.float32)) for number in range(200)}


def large_arrays() -> dict[str, Array]:
    draw = np.random.default_rng(1)
    return {f"a{number}": Array(draw.random(250_000, np.float32)) for number in range(3)}


@pytest.mark.parametrize("arrays", [many_arrays, large_arrays])
def test_an_answer_larger_than_any_is_not_taken_in(
    under: Attacked, aalborg: Ungated, arrays: Callable[[], dict[str, Array]]
) -> None:
    aalborg.answer = lambda message: Message(
        RecordDict({"arrays": ArrayRecord(arrays())}), reply_to=message
    )

    answer = under.ask("aalborg", MessageType.TRAIN, seconds=1.2)

    assert answer == NoAnswer("deadline")
    assert ("aalborg", "too_large") in under.news()
    wait_for(lambda: "aalborg" in under.link.online())


# --- a site's own work against its gate: a careless change, or one that is meant


def raises_a_name(_: Reply) -> Reply:
    raise ValueError(f"cannot read {PATIENT}")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda r: replace(r, texts={"note": PATIENT}), "unknown_key"),
        (lambda r: replace(r, hidden=(PATIENT,)), "text"),
        (lambda r: replace(r, metrics={**r.metrics, PATIENT: 1}), "unknown_key"),
        (lambda r: replace(r, metrics={**r.metrics, "num-examples": 10**9}), "number_range"),
        (
            lambda r: replace(r, arrays={**r.arrays, "pixels": np.zeros(9, np.float32)}),
            "array_names",
        ),
        (raises_a_name, "internal"),
    ],
)
def test_the_gate_lets_nothing_else_out(
    under: Attacked, aachen: Gated, change: Callable[[Reply], Reply], reason: str
) -> None:
    aachen.work.change = change

    answer = under.ask("aachen", MessageType.TRAIN)

    assert answer == NoAnswer(reason)
    assert read_entries(aachen.log)[-1]["verdict"] == reason
    assert PATIENT not in aachen.log.read_text() + under.log.read_text()


def test_a_record_under_another_s_name_is_no_record(under: Attacked, aalborg: Ungated) -> None:
    def change(content: RecordDict) -> None:
        content["metrics"] = ConfigRecord({"num-examples": 20, "loss": 0.5, "accuracy": 0.5})

    aalborg.answer = sent(change)

    assert under.ask("aalborg", MessageType.TRAIN) == NoAnswer("unknown_record")
