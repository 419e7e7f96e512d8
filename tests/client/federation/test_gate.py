"""The one door of a site: what passes, what is stopped, and what is written down of both."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from flwr.app import ConfigRecord, Context, Error, Message, MetricRecord, RecordDict
from flwr.app.message import make_message
from flwr.clientapp import ClientApp
from flwr.supercore.task_identity import TaskIdentity

from bs_client.config import Policy
from bs_client.federation.app import make_app
from bs_client.federation.gate import Gate
from bs_common.architecture import initial_head
from bs_common.audit import AuditLog, read_entries
from bs_common.contract import REQUESTS_BY_ROLE, MessageType, requests_of
from bs_common.errors import BoneScanError, ConfigError, DataError, ScanRefused
from bs_common.messages import Metric, Reply, Request, read_reply, write_request
from bs_common.settings import Role, StudySettings
from support.fake_site import READERS, TIME, FakeWork, fake_app

SETTINGS = StudySettings(name="test", backbone="random:1", trainable="head", rounds=3)
PATIENT = "DOE^JOHN 1.2.840.113619.2.55"
WITH_MODEL = {MessageType.TRAIN, MessageType.EVALUATE, MessageType.EXTERNAL}


def request(kind: MessageType) -> RecordDict:
    arrays = initial_head(0) if kind in WITH_MODEL else {}
    return write_request(Request(kind, 1, arrays), SETTINGS)


class Site:
    """A client app behind its gate, and its record."""

    def __init__(
        self,
        folder: Path,
        work: FakeWork,
        *,
        role: Role = "train",
        min_cell: int = 1,
        settings: StudySettings = SETTINGS,
    ) -> None:
        self.path = folder / "audit.jsonl"
        self.finished = Event()
        audit = AuditLog(self.path, lambda: TIME)
        policy = Policy(min_cell=min_cell)
        self.gate = Gate(settings=settings, role=role, policy=policy, audit=audit)
        self.app: ClientApp = make_app(work, self.gate, self.finished)
        TaskIdentity.run_id, TaskIdentity.task_id, TaskIdentity.node_id = 1, 1, 1

    def ask(self, kind: str, content: RecordDict | None = None) -> Message:
        message = Message(
            request(MessageType(kind)) if content is None else content, 2, kind, group_id="1"
        )
        return self.app(message, Context(1, 2, {}, RecordDict(), {}))

    def lines(self) -> list[tuple[object, object, object]]:
        entries = read_entries(self.path)
        return [(e["direction"], e["message_type"], e["verdict"]) for e in entries]


def site(folder: Path, *, role: Role = "train", min_cell: int = 1) -> Site:
    return Site(folder, FakeWork("aachen", SETTINGS), role=role, min_cell=min_cell)


class Changed(FakeWork):
    """A site whose work goes wrong in a way of its own."""

    change: Callable[[Reply], Reply] = staticmethod(lambda reply: reply)

    def describe(self, request: Request) -> Reply:
        return self.change(super().describe(request))

    def train(self, request: Request) -> Reply:
        return self.change(super().train(request))


def site_with(folder: Path, change: Callable[[Reply], Reply]) -> Site:
    work = Changed("aachen", SETTINGS)
    work.change = change
    return Site(folder, work)


def raising(error: Exception) -> Callable[[Reply], Reply]:
    def change(_reply: Reply) -> Reply:
        raise error

    return change


def test_an_allowed_question_is_answered_and_both_ways_are_written_down(tmp_path: Path) -> None:
    asked = site(tmp_path)

    reply = asked.ask("query.describe")

    read = read_reply("query.describe", reply.content, SETTINGS)
    assert read.metrics["train.metastasis"] == 10
    assert asked.lines() == [
        ("in", "query.describe", "passed"),
        ("out", "query.describe", "passed"),
    ]


@pytest.mark.parametrize("role", ["train", "evaluate"])
def test_each_role_answers_its_own_questions_and_no_other(tmp_path: Path, role: Role) -> None:
    for kind in MessageType:
        folder = tmp_path / kind.name
        folder.mkdir()
        asked = site(folder, role=role)

        reply = asked.ask(kind.value)

        if kind in requests_of(role, SETTINGS):
            assert reply.has_content()
        elif kind in REQUESTS_BY_ROLE[role]:
            assert reply.error.reason == "not_agreed"
        else:
            assert reply.error.reason == "not_for_this_role"
            assert [verdict for *_, verdict in asked.lines()] == ["not_for_this_role"] * 2


def test_before_the_readers_have_ended_a_code_leaves_and_the_record_says_so(
    tmp_path: Path,
) -> None:
    work = FakeWork("namur", SETTINGS, reader_metrics=None)
    asked = Site(tmp_path, work, role="evaluate")

    reply = asked.ask("query.readers")

    assert not reply.has_content()
    assert reply.error.reason == "readers_not_finished"
    assert asked.lines() == [
        ("in", "query.readers", "passed"),
        ("out", "query.readers", "readers_not_finished"),
    ]


@pytest.mark.parametrize(
    "slipped",
    [
        {"unaided.each-reader.auc": [0.9] * 100},
        {"unaided.comment": 1.0},
        {"case.C001": 1},
        {"unaided.each-reader.score": [0.9]},
        {"unaided.auc.median": 1.5},
    ],
)
def test_nothing_of_a_reader_study_leaves_that_the_contract_does_not_name(
    tmp_path: Path, slipped: dict[str, Metric]
) -> None:
    work = FakeWork("namur", SETTINGS, reader_metrics={**READERS, **slipped})

    reply = Site(tmp_path, work, role="evaluate").ask("query.readers")

    assert not reply.has_content()


@pytest.mark.parametrize("kind", ["train.other", "query.weights", "evaluate.x", "query.describe2"])
def test_an_unknown_question_is_not_for_any_role(tmp_path: Path, kind: str) -> None:
    reply = site(tmp_path).ask(kind, RecordDict())

    assert reply.error.reason == "not_for_this_role"


def test_a_question_of_another_study_is_refused_and_does_not_end_the_work(tmp_path: Path) -> None:
    asked = site(tmp_path)
    other = SETTINGS.model_copy(update={"learning_rate": 0.5})

    for kind in (MessageType.DESCRIBE, MessageType.FINISH):
        reply = asked.ask(kind.value, write_request(Request(kind, 0), other))
        assert reply.error.reason == "settings_changed"

    assert not asked.finished.is_set()


@pytest.mark.parametrize(
    ("policy", "kind", "code"),
    [
        (Policy(messages=(MessageType.DESCRIBE,)), "train", "policy_message"),
        (Policy(scopes=("all",)), "train", "policy_scope"),
        (Policy(max_rounds=0), "evaluate", "policy_rounds"),
    ],
)
def test_a_question_outside_the_sites_policy_is_refused_with_its_code_and_written_down(
    tmp_path: Path, policy: Policy, kind: str, code: str
) -> None:
    asked = site(tmp_path)
    asked.app = make_app(
        FakeWork("aachen", SETTINGS), replace(asked.gate, policy=policy), asked.finished
    )

    reply = asked.ask(kind)

    assert reply.error.reason == code
    assert asked.lines() == [("in", kind, code), ("out", kind, code)]


def test_the_study_can_raise_the_smallest_count_of_a_site(tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"min_cell": 1000})
    asked = Site(tmp_path, FakeWork("aachen", settings), settings=settings)

    reply = asked.ask("query.describe", write_request(Request(MessageType.DESCRIBE, 0), settings))

    assert "train.metastasis" in read_reply("query.describe", reply.content, settings).hidden


def test_other_weights_for_the_same_round_are_refused_after_a_few(tmp_path: Path) -> None:
    asked = site(tmp_path)

    reasons = []
    for seed in range(4):
        probe = write_request(Request(MessageType.EVALUATE, 1, initial_head(seed)), SETTINGS)
        reply = asked.ask("evaluate", probe)
        reasons.append(reply.error.reason if reply.has_error() else "answered")

    assert reasons == ["answered"] * 3 + ["too_many_messages"]
    assert asked.lines()[-1] == ("out", "evaluate", "too_many_messages")
    assert asked.ask("evaluate").has_content()  # the round's own weights still are


def test_in_a_study_that_compares_models_no_second_external_question_is_let_in(
    tmp_path: Path,
) -> None:
    """Each question has one exact table: two of them could be subtracted."""
    settings = SETTINGS.model_copy(update={"compare_local": True})
    policy = Policy(min_cell=1, external_models=9)
    app = fake_app(FakeWork("namur", settings), "evaluate", tmp_path, policy=policy)
    TaskIdentity.run_id, TaskIdentity.task_id, TaskIdentity.node_id = 1, 1, 1

    def ask(threshold: float) -> Message:
        asked = Request(MessageType.EXTERNAL, 1, initial_head(0), {"threshold": threshold})
        message = Message(write_request(asked, settings), 2, "query.external", group_id="1")
        return app(message, Context(1, 2, {}, RecordDict(), {}))

    assert ask(0.5).has_content()
    assert ask(0.51).error.reason == "too_many_messages"
    assert ask(0.5).has_content()


def test_a_malformed_question_does_not_use_up_the_one_external_evaluation(tmp_path: Path) -> None:
    asked = site(tmp_path, role="evaluate")
    without_arrays = write_request(Request(MessageType.DESCRIBE, 1), SETTINGS)

    malformed = asked.ask("query.external", without_arrays)

    assert malformed.error.reason == "unknown_record"
    assert asked.ask("query.external").has_content()


def test_a_question_that_was_too_large_to_be_kept_is_refused_as_such(tmp_path: Path) -> None:
    asked = site(tmp_path)
    kept_out = Message(request(MessageType.TRAIN), 2, "train", group_id="1")
    header = make_message(kept_out.metadata, error=Error(1, "too_large"))

    reply = asked.app(header, Context(1, 2, {}, RecordDict(), {}))

    assert reply.error.reason == "too_large"
    assert asked.lines() == [("in", "train", "too_large"), ("out", "train", "too_large")]


def test_a_strangers_error_in_place_of_a_question_is_not_repeated(tmp_path: Path) -> None:
    asked = site(tmp_path)
    header = Message(request(MessageType.TRAIN), 2, "train", group_id="1").metadata

    reply = asked.app(
        make_message(header, error=Error(7, PATIENT)), Context(1, 2, {}, RecordDict(), {})
    )

    assert reply.error.reason == "unreadable"
    assert "JOHN" not in asked.path.read_text()


def test_the_coordinators_goodbye_ends_the_work(tmp_path: Path) -> None:
    asked = site(tmp_path)

    assert asked.ask("query.finish").has_content()
    assert asked.finished.is_set()


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ValueError(PATIENT), "internal"),
        (KeyError(PATIENT), "internal"),
        (MemoryError(PATIENT), "internal"),
        (DataError(PATIENT, remedy=PATIENT), "data"),
        (ScanRefused("E_VIEW", PATIENT), "data"),
        (ConfigError(PATIENT), "config"),
        (BoneScanError(PATIENT), "error"),
    ],
)
def test_of_an_exception_one_short_code_leaves_and_its_text_stays(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, error: Exception, code: str
) -> None:
    asked = site_with(tmp_path, raising(error))

    with caplog.at_level(logging.ERROR):
        reply = asked.ask("query.describe")

    assert (reply.error.reason, reply.has_content()) == (code, False)
    assert "JOHN" not in repr(vars(reply)) + repr(reply.error) + asked.path.read_text()
    assert "JOHN" in caplog.text  # the site's own log has it
    assert asked.lines() == [("in", "query.describe", "passed"), ("out", "query.describe", code)]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda r: replace(r, texts={**r.texts, "patient": PATIENT}), "unknown_key"),
        (lambda r: replace(r, texts={**r.texts, "device": PATIENT}), "text"),
        (lambda r: replace(r, metrics={**r.metrics, "age": 64}), "unknown_key"),
        (lambda r: replace(r, metrics={**r.metrics, "train.metastasis": 2.5}), "number_type"),
        (lambda r: replace(r, arrays={"scan": np.zeros((4, 4), np.float32)}), "unknown_record"),
        (lambda r: replace(r, round_number=99), "round"),
        (lambda r: replace(r, metrics={}), "missing_key"),
    ],
)
def test_whatever_the_contract_does_not_name_stays(
    tmp_path: Path, change: Callable[[Reply], Reply], reason: str
) -> None:
    asked = site_with(tmp_path, change)

    reply = asked.ask("query.describe")

    assert reply.error.reason == reason
    assert asked.lines()[-1] == ("out", "query.describe", reason)
    assert "JOHN" not in asked.path.read_text()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"scan": np.zeros((4, 4), np.float32)}, "array_names"),
        ({"head_output/bias": np.zeros(3, np.float32)}, "array_shape"),
        ({"head_output/bias": np.zeros(2, np.float64)}, "array_dtype"),
        ({"head_output/bias": np.array([0, np.nan], np.float32)}, "not_finite"),
    ],
)
def test_arrays_that_are_not_the_models_stay(
    tmp_path: Path, changes: dict[str, np.ndarray], reason: str
) -> None:
    asked = site_with(tmp_path, lambda reply: replace(reply, arrays={**reply.arrays, **changes}))

    assert asked.ask("train").error.reason == reason


@pytest.mark.parametrize("kind", ["query.describe", "query.external"])
def test_small_counts_are_hidden_in_every_message_that_counts(tmp_path: Path, kind: str) -> None:
    work = FakeWork("namur", SETTINGS, positives=3)
    asked = Site(tmp_path, work, role="evaluate", min_cell=5)

    read = read_reply(kind, asked.ask(kind).content, SETTINGS)

    counts = [v for v in read.metrics.values() if isinstance(v, int) and v > 1]
    assert read.hidden
    assert not any(0 < count < 5 for count in counts)


def test_small_counts_are_hidden_in_a_validation_and_stop_a_training(tmp_path: Path) -> None:
    asked = Site(tmp_path, FakeWork("aachen", SETTINGS, positives=3), min_cell=5)

    validation = read_reply("evaluate", asked.ask("evaluate").content, SETTINGS)

    assert set(validation.hidden) == {"histogram.metastasis", "histogram.no_metastasis"}
    assert asked.ask("train").error.reason == "small_cell"


def test_nothing_leaves_beside_what_was_read_and_checked(tmp_path: Path) -> None:
    """Bytes that a Flower message can hold beyond the records are not passed on."""
    audit = AuditLog(tmp_path / "audit.jsonl", lambda: TIME)
    gate = Gate(settings=SETTINGS, role="train", policy=Policy(min_cell=1), audit=audit)
    TaskIdentity.run_id, TaskIdentity.task_id, TaskIdentity.node_id = 1, 1, 1
    asked = Message(request(MessageType.FINISH), 2, "query.finish")
    header = request(MessageType.FINISH).config_records["config"]
    answer = RecordDict(
        {
            "config": ConfigRecord({**header, "hidden": ""}),
            "metrics": MetricRecord(),
        }
    )
    inner = Message(answer, reply_to=asked)
    vars(inner.metadata)["_group_id"] = PATIENT

    reply = gate(asked, Context(1, 2, {}, RecordDict(), {}), lambda _message, _context: inner)

    assert reply.has_content()
    assert reply.content is not answer
    assert "JOHN" not in repr(vars(reply))


def test_an_error_in_place_of_an_answer_is_not_passed_on(tmp_path: Path) -> None:
    audit = AuditLog(tmp_path / "audit.jsonl", lambda: TIME)
    gate = Gate(settings=SETTINGS, role="train", policy=Policy(min_cell=1), audit=audit)
    asked = Message(request(MessageType.FINISH), 2, "query.finish")
    inner = Message(Error(7, PATIENT), reply_to=asked)

    reply = gate(asked, Context(1, 2, {}, RecordDict(), {}), lambda _message, _context: inner)

    assert (reply.error.code, reply.error.reason) == (1, "internal")


def test_the_record_names_keys_size_and_digest_of_what_left(tmp_path: Path) -> None:
    asked = site(tmp_path)

    reply = asked.ask("query.finish")

    entry = read_entries(asked.path)[-1]
    values = {
        f"{name}.{key}": value
        for name in sorted(reply.content)
        for key, value in sorted(reply.content[name].items())
    }
    assert set(values) == set(entry["keys"])  # type: ignore[call-overload]
    expected, size = hashlib.sha256(), 0
    for name, value in values.items():
        data = json.dumps(value).encode()
        record, _, key = name.partition(".")
        expected.update(f"{record}\x1f{key}\x1f{len(data)}\x1f".encode() + data)
        size += len(data)
    assert (entry["content_sha256"], entry["size_bytes"]) == (expected.hexdigest(), size)
    assert entry["round_number"] == 1


def test_the_record_holds_no_value_of_what_passed(tmp_path: Path) -> None:
    asked = site(tmp_path)

    asked.ask("query.describe")

    text = asked.path.read_text()
    assert "train.metastasis" in text
    assert "cpu (1 thread)" not in text
    assert SETTINGS.digest() not in text


def test_the_digest_tells_two_updates_apart_and_equal_ones_not(tmp_path: Path) -> None:
    digests = []
    for name, step in (("one", 0.25), ("same", 0.25), ("other", 0.5)):
        (tmp_path / name).mkdir()
        asked = Site(tmp_path / name, FakeWork("aachen", SETTINGS, step=step))
        asked.ask("train")
        digests.append(read_entries(asked.path)[-1]["content_sha256"])

    assert digests[0] == digests[1] != digests[2]


def test_of_a_refusal_the_record_counts_no_byte_of_content(tmp_path: Path) -> None:
    asked = site_with(tmp_path, raising(ValueError(PATIENT)))

    asked.ask("query.describe")

    entry = read_entries(asked.path)[-1]
    assert (entry["direction"], entry["size_bytes"], entry["keys"]) == ("out", 0, [])


@pytest.mark.parametrize(
    "content",
    [
        RecordDict(),
        RecordDict({"config": ConfigRecord({"x": b"\xff\x00", "y": [b"1", b"2"]})}),
        RecordDict({"config": ConfigRecord({"round": "one"})}),
        RecordDict({"config": MetricRecord({"round": float("nan")})}),
        RecordDict({"\n\x1f": ConfigRecord({"\u2028": True})}),
    ],
)
def test_no_request_however_odd_ends_the_site(tmp_path: Path, content: RecordDict) -> None:
    asked = site(tmp_path)

    assert asked.ask("query.describe", content).has_error()
    assert asked.ask("query.describe").has_content()
    assert len(asked.lines()) == 4


def test_nothing_leaves_that_cannot_be_written_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = site(tmp_path)

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(OSError, match="No space left"):
        asked.ask("query.describe")
