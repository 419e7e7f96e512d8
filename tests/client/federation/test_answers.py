"""What was answered once is not worked on again, whatever became of the answer."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from flwr.app import Context, Message, RecordDict
from flwr.supercore.task_identity import TaskIdentity

from bs_client.config import Policy
from bs_client.federation.answers import Answers, RecordedWork
from bs_client.federation.app import make_app
from bs_client.federation.gate import Gate
from bs_common.architecture import initial_head
from bs_common.audit import AuditLog, read_entries
from bs_common.contract import MessageType
from bs_common.errors import EgressRefused, StorageFailed
from bs_common.messages import Reply, Request, read_reply, read_request, write_request
from bs_common.settings import StudySettings
from bs_common.weights import digest
from support.fake_site import READERS, TIME, FakeWork

SETTINGS = StudySettings(name="test", backbone="random:1", trainable="head", rounds=50)


class Site:
    """Recorded work, and how often it was really done."""

    def __init__(self, folder: Path, data_sha256: str = "d" * 64) -> None:
        self.folder = folder
        self.fake = FakeWork("aachen", SETTINGS)
        self.work = RecordedWork(self.fake, Answers(folder, SETTINGS, data_sha256))

    def ask(self, kind: MessageType, number: int = 1, seed: int = 0) -> Reply:
        numbers = {"threshold": 0.5} if kind is MessageType.EXTERNAL else {}
        alone = kind in (MessageType.LOCAL, MessageType.READERS)
        arrays = {} if alone else initial_head(seed)
        sent = write_request(Request(kind, number, arrays, numbers), SETTINGS)
        request = read_request(kind.value, sent, SETTINGS)
        tasks = {
            MessageType.TRAIN: self.work.train,
            MessageType.EVALUATE: self.work.evaluate,
            MessageType.LOCAL: self.work.local,
            MessageType.EXTERNAL: self.work.external,
            MessageType.READERS: self.work.readers,
        }
        return tasks[kind](request)

    @property
    def done(self) -> int:
        return len(self.fake.seen)


TRAIN, EVALUATE, EXTERNAL = MessageType.TRAIN, MessageType.EVALUATE, MessageType.EXTERNAL
LOCAL = MessageType.LOCAL


@pytest.mark.parametrize("kind", [TRAIN, LOCAL, EVALUATE, EXTERNAL])
def test_a_site_started_again_gives_the_same_answer_without_working(
    tmp_path: Path, kind: MessageType
) -> None:
    first = Site(tmp_path).ask(kind)

    again = Site(tmp_path)
    reply = again.ask(kind)

    assert again.done == 0
    assert digest(reply.arrays) == digest(first.arrays)
    assert (reply.metrics, reply.texts) == (first.metrics, first.texts)


@pytest.mark.parametrize(("number", "seed"), [(2, 0), (1, 1)])
def test_another_round_or_other_weights_are_another_question(
    tmp_path: Path, number: int, seed: int
) -> None:
    site = Site(tmp_path)
    site.ask(TRAIN)

    site.ask(TRAIN, number, seed)

    assert site.done == 2


@pytest.mark.parametrize(("kind", "worked"), [(TRAIN, 1), (LOCAL, 1), (EVALUATE, 1), (EXTERNAL, 0)])
def test_mended_data_are_trained_on_anew_but_the_judgement_stands(
    tmp_path: Path, kind: MessageType, worked: int
) -> None:
    Site(tmp_path).ask(kind)

    mended = Site(tmp_path, data_sha256="e" * 64)
    mended.ask(kind)

    assert mended.done == worked


def test_other_models_beside_the_study_s_are_another_question(tmp_path: Path) -> None:
    site = Site(tmp_path)
    for seed in (1, 1, 2):
        request = Request(EXTERNAL, 1, initial_head(0), compared=(initial_head(seed),))
        site.work.external(request)

    assert site.done == 2


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "renamed"])
def test_a_damaged_record_is_computed_again(tmp_path: Path, damage: str) -> None:
    site = Site(tmp_path)
    first = site.ask(TRAIN)
    (path,) = tmp_path.iterdir()
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    if damage == "renamed":
        site.ask(TRAIN, 2)
        (other,) = set(tmp_path.iterdir()) - {path}
        other.replace(path)
    else:
        damaged = {"cut": content[:-50], "flip": content, "empty": bytearray()}
        path.write_bytes(damaged[damage])

    again = Site(tmp_path)

    assert digest(again.ask(TRAIN).arrays) == digest(first.arrays)
    assert again.done == 1
    assert Site(tmp_path).ask(TRAIN).metrics == first.metrics  # and is whole again


def test_few_answers_are_kept_and_the_judgement_always(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.ask(EXTERNAL)
    site.ask(LOCAL)
    for number in range(1, 20):
        site.ask(TRAIN, number)
        site.ask(EVALUATE, number)

    kinds = sorted(path.name.partition("-")[0] for path in tmp_path.iterdir())
    assert kinds == ["evaluate", "evaluate", "external", "local", "train", "train"]
    site.ask(TRAIN, 19)
    site.ask(EVALUATE, 18)
    assert site.done == 40  # of the last two rounds nothing was done again


def test_of_a_reader_study_the_first_answer_stands_whatever_is_analysed_or_asked_later(
    tmp_path: Path,
) -> None:
    """Two analyses told one after the other would differ by single answers."""
    site = Site(tmp_path)
    first = site.ask(MessageType.READERS)

    site.fake.reader_metrics = {**first.metrics, "unaided.mean-auc": 0.91}
    again = [site.ask(MessageType.READERS, number) for number in (1, 2)]

    assert [reply.metrics for reply in again] == [first.metrics] * 2
    assert [reply.round_number for reply in again] == [1, 2]


def test_before_the_readers_have_ended_nothing_is_recorded(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.fake.reader_metrics = None

    with pytest.raises(EgressRefused):
        site.ask(MessageType.READERS)
    site.fake.reader_metrics = READERS

    assert site.ask(MessageType.READERS).metrics["readers"] == 6


def test_an_answer_that_the_gate_refuses_is_worked_on_again(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.fake.step = float("nan")
    site.ask(TRAIN)

    site.ask(TRAIN)

    assert site.done == 2


def test_an_answer_that_cannot_be_kept_does_not_leave(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_temporary: Path, _target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    site = Site(tmp_path)

    with pytest.raises(StorageFailed) as failed:
        site.ask(TRAIN)

    assert "Free space" in failed.value.remedy
    assert not list(tmp_path.iterdir())


def test_the_judgement_is_on_disk_before_it_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)

    Site(tmp_path).ask(TRAIN)
    assert not synced  # a round can be worked out again, to the same bytes
    Site(tmp_path).ask(EXTERNAL)
    assert synced


def test_the_record_can_be_read_by_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "answers"
    Site(folder).ask(EXTERNAL)

    (path,) = folder.iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_description_is_given_anew_each_time(tmp_path: Path) -> None:
    site = Site(tmp_path)
    for _ in range(2):
        site.work.describe(Request(MessageType.DESCRIBE, 0))

    assert site.done == 2


def test_arrays_of_any_layout_come_back_as_they_were(tmp_path: Path) -> None:
    site = Site(tmp_path)
    turned = {n: np.asfortranarray(a) for n, a in initial_head(3).items()}
    work = RecordedWork(site.fake, site.work.answers)

    first = work.train(Request(TRAIN, 1, turned))
    again = work.train(Request(TRAIN, 1, turned))

    assert site.done == 1
    assert all(np.array_equal(first.arrays[n], again.arrays[n]) for n in turned)


def test_a_recorded_answer_passes_the_gate_as_a_new_one_does(tmp_path: Path) -> None:
    """The gate hides small counts by today's policy, and records each passage."""
    TaskIdentity.run_id, TaskIdentity.task_id, TaskIdentity.node_id = 1, 1, 1
    audit = AuditLog(tmp_path / "audit.jsonl", lambda: TIME)
    work = FakeWork("namur", SETTINGS)
    answers = Answers(tmp_path / "answers", SETTINGS, "d" * 64)

    def ask(min_cell: int) -> Reply:
        gate = Gate(
            settings=SETTINGS, role="evaluate", policy=Policy(min_cell=min_cell), audit=audit
        )
        app = make_app(RecordedWork(work, answers), gate, Event())
        content = write_request(Request(EXTERNAL, 3, initial_head(0)), SETTINGS)
        message = Message(content, 2, EXTERNAL.value)
        answer = app(message, Context(1, 2, {}, RecordDict(), {}))
        return read_reply(EXTERNAL.value, answer.content, SETTINGS)

    first, again = ask(min_cell=1), ask(min_cell=5)

    assert len(work.seen) == 1
    assert first.metrics["fn"] == 1
    assert "fn" in again.hidden
    directions = [entry["direction"] for entry in read_entries(tmp_path / "audit.jsonl")]
    assert directions == ["in", "out"] * 2
