"""A site's part in a study, over TLS on loopback with the product's own link at both ends."""

from __future__ import annotations

import datetime
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from flwr.app import Message

from bs_client.config import Connection, SiteFolder
from bs_client.federation import link as site_link
from bs_client.federation.session import take_part
from bs_common.architecture import NamedArrays, array_shapes
from bs_common.audit import read_entries
from bs_common.contract import MessageType
from bs_common.errors import BoneScanError, StudyStopped, TrustError
from bs_common.joining import write_document
from bs_common.messages import Request, read_reply, write_request
from bs_common.settings import StudySettings
from bs_common.toml import write_toml
from bs_server.gateway.link import FleetLink
from bs_server.trust.authority import Authority, issue_server_certificate
from bs_server.trust.signed_register import read_register
from support.connect_proxy import ConnectProxy
from support.fake_site import FakeWork
from support.study_maker import HOST, MadeStudy, make_study

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]

SETTINGS = StudySettings(name="wire", backbone="random:1", trainable="head", rounds=3)
LARGER = SETTINGS.model_copy(update={"trainable": "all"})


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
    error: BoneScanError | None = None


def start(folder: SiteFolder) -> Part:
    def run() -> None:
        try:
            part.ended_as = take_part(folder, part.work, part.stop)
        except BoneScanError as error:
            part.error = error

    work = FakeWork("aachen", SETTINGS)
    part = Part(threading.Event(), threading.Thread(target=run, daemon=True), work)
    part.thread.start()
    return part


def ask(
    link: FleetLink,
    kind: MessageType,
    *,
    settings: StudySettings = SETTINGS,
    arrays: NamedArrays | None = None,
) -> Message:
    while "aachen" not in link.online():
        time.sleep(0.01)
    content = write_request(Request(kind, 0, arrays or {}), settings)
    ticket = link.send("aachen", kind.value, content, group="0")
    while (message := link.receive(ticket)) is None:
        time.sleep(0.01)
    return message


def whole_network() -> NamedArrays:
    """60 MB of weights, where the study agreed on the last two layers."""
    shapes = array_shapes("all")
    return {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}


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


def test_a_study_that_was_changed_stops_the_site_and_both_sides_say_why(study: MadeStudy) -> None:
    folder = study.sites["aachen"]
    changed = SETTINGS.model_copy(update={"learning_rate": 0.5})
    with coordinator(study) as link:
        part = start(folder)

        told = ask(link, MessageType.DESCRIBE, settings=changed)
        part.thread.join(10)

    assert told.error.reason == "settings_changed"
    assert isinstance(part.error, StudyStopped)
    assert "changed the study after it was approved here (settings_changed)" in str(part.error)
    assert "bs-client join shows the difference" in part.error.remedy
    assert [e["verdict"] for e in read_entries(folder.audit)] == ["settings_changed"] * 2


def test_terms_that_nobody_approved_are_not_worked_for(study: MadeStudy) -> None:
    folder = study.sites["aachen"]
    changed = folder.read_invitation().model_copy(
        update={"settings": SETTINGS.model_copy(update={"rounds": 2})}
    )
    write_document(folder.invitation, changed)

    with pytest.raises(TrustError, match="not approved here"):
        take_part(folder, FakeWork("aachen", SETTINGS), threading.Event())


def test_a_site_works_through_the_hospitals_proxy(study: MadeStudy) -> None:
    folder = study.sites["aachen"]
    with ConnectProxy() as proxy, coordinator(study) as link:
        connection = Connection(proxy=proxy.url)
        write_toml(folder.site_file, folder.read().model_copy(update={"connection": connection}))
        part = start(folder)

        reply = ask(link, MessageType.DESCRIBE)
        ask(link, MessageType.FINISH)
        part.thread.join(5)

    assert reply.has_content()
    assert part.ended_as is True
    assert set(proxy.asked) == {f"{HOST}:{study.port}"}


def test_a_message_too_large_for_the_study_is_refused_while_it_arrives(study: MadeStudy) -> None:
    folder = study.sites["aachen"]
    with coordinator(study) as link:
        part = start(folder)

        told = ask(link, MessageType.EVALUATE, settings=LARGER, arrays=whole_network())
        answered = ask(link, MessageType.DESCRIBE)
        part.stop.set()
        part.thread.join(5)

    assert told.error.reason == "too_large"
    assert answered.has_content()
    verdicts = [e["verdict"] for e in read_entries(folder.audit)]
    assert verdicts == ["too_large"] * 2 + ["passed"] * 2


def test_a_certificate_of_its_last_days_is_warned_of(
    study: MadeStudy, caplog: pytest.LogCaptureFixture
) -> None:
    made = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=377)
    issue_server_certificate(Authority(study.folder.authority), names=[HOST], now=made)

    with caplog.at_level(logging.WARNING), coordinator(study) as link:
        part = start(study.sites["aachen"])
        ask(link, MessageType.DESCRIBE)
        part.stop.set()
        part.thread.join(5)

    warnings = [r.getMessage() for r in caplog.records if "ends in 19 days" in r.getMessage()]
    assert len(warnings) == 1
    assert "bs-server renew" in warnings[0]


def test_a_clock_ten_minutes_off_is_named_while_the_site_waits(
    study: MadeStudy, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=10)
    monkeypatch.setattr(site_link, "now", lambda: ahead)  # what is signed
    monkeypatch.setattr(site_link, "_now", lambda: ahead)

    with caplog.at_level(logging.WARNING), coordinator(study):
        part = start(study.sites["aachen"])
        end = time.monotonic() + 10
        said: list[logging.LogRecord] = []
        while not said and time.monotonic() < end:
            said = [r for r in caplog.records if "no connection" in r.getMessage()]
            time.sleep(0.01)
        part.stop.set()
        part.thread.join(5)

    assert "ahead of the coordinator's" in said[0].getMessage()
    assert "Set the clock" in said[0].getMessage()


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
