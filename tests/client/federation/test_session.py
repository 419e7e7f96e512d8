"""A site's part in a study, over TLS on loopback with the product's own link at both ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
from flwr.app import Message

from bs_client.config import SiteFolder
from bs_client.federation import link as site_link
from bs_client.federation.audit import read_entries
from bs_client.federation.session import take_part
from bs_common.contract import MessageType
from bs_common.errors import TrustError
from bs_common.messages import Request, read_reply, write_request
from bs_common.settings import StudySettings
from bs_server.authority import Authority
from bs_server.link import FleetLink
from bs_server.register import read_register
from support.fake_site import FakeWork
from support.study_maker import HOST, MadeStudy, make_study

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]

SETTINGS = StudySettings(name="wire", backbone="random:1", trainable="head", rounds=3)


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MadeStudy:
    # Flower keeps one identity a process; here the coordinator keeps it.
    monkeypatch.setattr(site_link, "TaskIdentity", SimpleNamespace())
    return make_study(tmp_path, SETTINGS, {"aachen": "train"})


@contextmanager
def coordinator(study: MadeStudy) -> Iterator[FleetLink]:
    authority = Authority(study.folder.authority)
    with FleetLink(
        host=HOST,
        port=study.port,
        certificate=authority.server_certificate,
        private_key=authority.server_key,
        sites=read_register(study.folder).enrolled(),
    ) as link:
        yield link


@dataclass
class Part:
    """A site taking part in a thread."""

    stop: threading.Event
    thread: threading.Thread
    work: FakeWork
    ended_as: bool | None = None


def start(folder: SiteFolder) -> Part:
    def run() -> None:
        part.ended_as = take_part(folder, part.work, part.stop)

    work = FakeWork("aachen", SETTINGS)
    part = Part(threading.Event(), threading.Thread(target=run, daemon=True), work)
    part.thread.start()
    return part


def ask(link: FleetLink, kind: MessageType) -> Message:
    while "aachen" not in link.online():
        time.sleep(0.01)
    content = write_request(Request(kind, 0), SETTINGS)
    ticket = link.send("aachen", kind.value, content, group="0")
    while (message := link.receive(ticket)) is None:
        time.sleep(0.01)
    return message


def test_a_site_works_until_the_coordinator_says_goodbye(study: MadeStudy) -> None:
    with coordinator(study) as link:
        part = start(study.sites["aachen"])
        described = ask(link, MessageType.DESCRIBE)
        assert part.thread.is_alive()

        ask(link, MessageType.FINISH)
        part.thread.join(5)

    assert part.ended_as is True
    assert part.stop.is_set()
    reply = read_reply("query.describe", described.content, SETTINGS)
    assert reply.metrics["train.metastasis"] == 10
    verdicts = [entry["verdict"] for entry in read_entries(study.sites["aachen"].audit)]
    assert verdicts == ["passed"] * 4


def test_a_site_that_is_stopped_ends_and_says_that_the_study_does_not(study: MadeStudy) -> None:
    with coordinator(study) as link:
        part = start(study.sites["aachen"])
        ask(link, MessageType.DESCRIBE)

        part.stop.set()
        part.thread.join(5)

    assert part.ended_as is False


def test_a_site_knows_whether_it_is_connected_and_waits_for_a_coordinator_that_went(
    study: MadeStudy,
) -> None:
    with coordinator(study) as link:
        part = start(study.sites["aachen"])
        ask(link, MessageType.DESCRIBE)
        assert part.work.activity.connected
    end = time.monotonic() + 20
    while part.work.activity.connected and time.monotonic() < end:
        time.sleep(0.05)
    assert not part.work.activity.connected
    assert part.thread.is_alive()

    with coordinator(study) as link:
        ask(link, MessageType.DESCRIBE)
        assert part.work.activity.connected
        part.stop.set()
        part.thread.join(10)


def test_a_site_with_a_broken_record_does_not_connect(study: MadeStudy) -> None:
    folder = study.sites["aachen"]
    folder.audit.write_text("{}\n")

    with pytest.raises(TrustError, match="line 1"):
        take_part(folder, FakeWork("aachen", SETTINGS), threading.Event())


def test_a_site_without_its_key_does_not_connect(study: MadeStudy) -> None:
    folder = study.sites["aachen"]
    folder.key.unlink()

    with pytest.raises(TrustError, match="cannot be read"):
        take_part(folder, FakeWork("aachen", SETTINGS), threading.Event())
