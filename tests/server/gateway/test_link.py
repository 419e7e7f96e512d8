"""The Fleet API over TLS on loopback: who connects, what is served, what is refused."""

from __future__ import annotations

import datetime
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import httpx
import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from flwr.app import Array, ArrayRecord, Message, RecordDict

from bs_client.federation import link as site_link
from bs_client.federation.link import work_until
from bs_client.federation.transport import Coordinator
from bs_common.errors import ConfigError, ConnectionLost, TrustError
from bs_server.gateway.link import FleetLink
from bs_server.trust.authority import Authority, make_authority

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]

HOST = "127.0.0.1"
SITES = ("aachen", "aalborg", "namur")  # namur never comes
KEYS = {name: ec.generate_private_key(ec.SECP256R1()) for name in SITES}
STRANGER = ec.generate_private_key(ec.SECP256R1())


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    folder = tmp_path_factory.mktemp("link") / "authority"
    now = datetime.datetime.now(datetime.UTC)
    return make_authority(folder, study="test", names=[HOST], now=now)


@pytest.fixture(scope="module")
def link(authority: Authority) -> Iterator[FleetLink]:
    with FleetLink(
        host=HOST,
        port=0,
        certificate=authority.server_certificate,
        private_key=authority.server_key,
        sites={name: key.public_key() for name, key in KEYS.items()},
    ) as opened:
        yield opened


@pytest.fixture(autouse=True)
def site_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Flower keeps one identity a process; here the coordinator keeps it."""
    monkeypatch.setattr(site_link, "TaskIdentity", SimpleNamespace())


def add_one(message: Message) -> Message:
    """A site whose whole work is to add one to every array."""
    record = message.content.array_records["arrays"]
    arrays = {name: Array(array.numpy() + np.float32(1)) for name, array in record.items()}
    return Message(RecordDict({"arrays": ArrayRecord(arrays)}), reply_to=message)


@contextmanager
def site_at_work(
    link: FleetLink,
    authority: Authority,
    key: ec.EllipticCurvePrivateKey,
    handle: Callable[[Message], Message] = add_one,
) -> Iterator[threading.Event]:
    done = threading.Event()
    coordinator = Coordinator(f"{HOST}:{link.port}", authority.ca_certificate.read_text())
    thread = threading.Thread(target=work_until, args=(done, coordinator, key, handle), daemon=True)
    thread.start()
    try:
        yield done
    finally:
        done.set()
        thread.join(10)
        assert not thread.is_alive()


def wait_for(claim: Callable[[], object], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not claim() and time.monotonic() < end:
        time.sleep(0.01)
    assert claim()


def arrays(value: float) -> RecordDict:
    held = {"w": np.full((200, 300), value, np.float32), "b": np.arange(3, dtype=np.float32)}
    return RecordDict({"arrays": ArrayRecord({n: Array(a) for n, a in held.items()})})


def answer(link: FleetLink, ticket: str) -> Message:
    found: list[Message] = []

    def arrived() -> bool:
        if not found and (message := link.receive(ticket)) is not None:
            found.append(message)
        return bool(found)

    wait_for(arrived)
    return found[0]


def test_an_enrolled_site_answers_and_its_arrays_arrive_whole(
    link: FleetLink, authority: Authority
) -> None:
    with site_at_work(link, authority, KEYS["aachen"]):
        wait_for(lambda: link.online() == {"aachen"})

        reply = answer(link, link.send("aachen", "train", arrays(0.5), group="1"))

    received = reply.content.array_records["arrays"]
    assert np.array_equal(received["w"].numpy(), np.full((200, 300), 1.5, np.float32))
    assert np.array_equal(received["b"].numpy(), np.array([1, 2, 3], np.float32))


def test_a_site_that_leaves_in_order_is_offline_at_once(
    link: FleetLink, authority: Authority
) -> None:
    with site_at_work(link, authority, KEYS["aachen"]):
        wait_for(lambda: "aachen" in link.online())

    assert "aachen" not in link.online()


def test_a_message_waits_for_a_site_that_is_away(link: FleetLink, authority: Authority) -> None:
    with site_at_work(link, authority, KEYS["aalborg"]):
        wait_for(lambda: "aalborg" in link.online())
    ticket = link.send("aalborg", "train", arrays(1), group="1")
    assert link.receive(ticket) is None

    with site_at_work(link, authority, KEYS["aalborg"]):
        assert answer(link, ticket).has_content()


def test_a_dropped_message_is_never_handed_out(link: FleetLink, authority: Authority) -> None:
    seen: list[str] = []

    def noting(message: Message) -> Message:
        seen.append(message.metadata.group_id)
        return add_one(message)

    with site_at_work(link, authority, KEYS["aalborg"]):
        wait_for(lambda: "aalborg" in link.online())
    link.drop(link.send("aalborg", "train", arrays(1), group="dropped"))
    with site_at_work(link, authority, KEYS["aalborg"], noting):
        answer(link, link.send("aalborg", "train", arrays(1), group="kept"))

    assert seen == ["kept"]


def test_a_site_that_never_came_cannot_be_written_to(link: FleetLink) -> None:
    with pytest.raises(ConnectionLost, match="namur could not be queued"):
        link.send("namur", "train", arrays(1), group="1")


def test_a_site_that_was_killed_is_admitted_again_at_once(
    link: FleetLink, authority: Authority
) -> None:
    release = threading.Event()

    def hanging(message: Message) -> Message:
        release.wait(10)
        return add_one(message)

    before = link.connections("aachen")
    with site_at_work(link, authority, KEYS["aachen"], hanging):
        lost = link.send("aachen", "train", arrays(0), group="1")
        wait_for(lambda: link.connections("aachen") == before + 1)

        # The first process still holds its lease; the same key comes from a second one.
        with site_at_work(link, authority, KEYS["aachen"]):
            wait_for(lambda: link.connections("aachen") == before + 2, seconds=3)
            reply = answer(link, link.send("aachen", "train", arrays(4), group="1"))

            assert reply.content.array_records["arrays"]["w"].numpy()[0, 0] == 5
        release.set()
        link.drop(lost)


def test_a_reply_that_nobody_waits_for_any_more_is_no_reason_to_lose_the_connection(
    link: FleetLink, authority: Authority
) -> None:
    began, release = threading.Event(), threading.Event()

    def slow(message: Message) -> Message:
        began.set()
        release.wait(10)
        return add_one(message)

    with site_at_work(link, authority, KEYS["aachen"], slow):
        wait_for(lambda: "aachen" in link.online())
        connected = link.connections("aachen")
        ticket = link.send("aachen", "train", arrays(1), group="1")
        wait_for(began.is_set)
        link.drop(ticket)  # its deadline has passed
        release.set()

        assert answer(link, link.send("aachen", "train", arrays(2), group="2")).has_content()
        assert link.connections("aachen") == connected


def test_a_reply_counts_although_its_site_has_gone_since(
    link: FleetLink, authority: Authority
) -> None:
    with site_at_work(link, authority, KEYS["aachen"]):
        wait_for(lambda: "aachen" in link.online())
        ticket = link.send("aachen", "train", arrays(1), group="1")
        wait_for(lambda: link._state.reply_is_complete(ticket))
    assert "aachen" not in link.online()

    assert answer(link, ticket).has_content()


def test_the_run_goes_on_after_this_machines_clock_was_set(
    link: FleetLink, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=13)
    with monkeypatch.context() as set_clock:
        set_clock.setattr("flwr.supercore.corestate.in_memory_corestate.now", lambda: ahead)
        link._state.get_run_info(run_ids=[link._run_id])

    with site_at_work(link, authority, KEYS["aachen"]):
        wait_for(lambda: "aachen" in link.online())
        assert answer(link, link.send("aachen", "train", arrays(1), group="1")).has_content()


def test_a_question_asked_again_while_it_is_worked_on_is_answered_by_that_work(
    link: FleetLink, authority: Authority
) -> None:
    began, release = threading.Event(), threading.Event()
    worked: list[str] = []

    def slow(message: Message) -> Message:
        worked.append(message.metadata.group_id)
        began.set()
        release.wait(10)
        return add_one(message)

    with site_at_work(link, authority, KEYS["aachen"], slow):
        wait_for(lambda: "aachen" in link.online())
        lost = link.send("aachen", "train", arrays(1), group="1")
        wait_for(began.is_set)
        link.drop(lost)
        again = link.send("aachen", "train", arrays(1), group="1")
        time.sleep(0.2)
        release.set()

        assert answer(link, again).has_content()
    assert worked == ["1", "1"]  # the second time a site finds its own record


def test_a_key_that_is_not_enrolled_is_not_let_in_and_told_what_to_do(
    link: FleetLink, authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        caplog.at_level(logging.WARNING, "bs_client.federation.link"),
        site_at_work(link, authority, STRANGER),
    ):
        wait_for(lambda: "does not accept" in caplog.text)

    assert "does not accept this site's key" in caplog.text
    assert "Ask the coordinator to enrol this site" in caplog.text
    assert link.online() == frozenset()


def test_a_coordinator_of_another_authority_is_not_talked_to(
    link: FleetLink, tmp_path: Path
) -> None:
    now = datetime.datetime.now(datetime.UTC)
    other = make_authority(tmp_path / "other", study="test", names=[HOST], now=now)
    pinned = Coordinator(f"{HOST}:{link.port}", other.ca_certificate.read_text())

    with pytest.raises(TrustError, match="certificate is not accepted") as refused:
        work_until(threading.Event(), pinned, KEYS["aachen"], add_one)
    assert "do not continue" in refused.value.remedy


def test_a_coordinator_under_another_name_is_not_talked_to(
    link: FleetLink, authority: Authority
) -> None:
    elsewhere = Coordinator(f"localhost:{link.port}", authority.ca_certificate.read_text())

    with pytest.raises(TrustError, match="certificate is not accepted"):
        work_until(threading.Event(), elsewhere, KEYS["aachen"], add_one)


def visitor(authority: Authority) -> httpx.Client:
    """Somebody who trusts the coordinator and speaks Flower's format, without a key."""
    trust = ssl.create_default_context(cafile=authority.ca_certificate)
    return httpx.Client(verify=trust, headers={"content-type": "application/protobuf"})


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/docs",
        "/redoc",
        "/openapi.json",
        "/v1/control/start-run",
        "/v1/control",
        "/v1/runtime/push-messages",
        "/study.toml",
        "/../authority/ca.key",
    ],
)
def test_only_the_fleet_paths_answer(
    link: FleetLink, authority: Authority, method: str, path: str
) -> None:
    url = f"https://{HOST}:{link.port}{path}"

    with visitor(authority) as client:
        assert client.request(method, url).status_code == 404


def test_a_fleet_path_without_a_signature_is_refused(link: FleetLink, authority: Authority) -> None:
    with visitor(authority) as client:
        answered = client.post(f"https://{HOST}:{link.port}/v1/fleet/pull-messages", content=b"")

    assert answered.status_code == 401


def test_plain_http_is_refused(link: FleetLink) -> None:
    with pytest.raises(httpx.TransportError):
        httpx.get(f"http://{HOST}:{link.port}/")


def test_an_absent_coordinator_is_waited_for_until_told_to_stop(authority: Authority) -> None:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        nowhere = Coordinator(
            f"{HOST}:{probe.getsockname()[1]}", authority.ca_certificate.read_text()
        )
        done = threading.Event()
        timer = threading.Timer(0.2, done.set)
        timer.start()

        work_until(done, nowhere, KEYS["aachen"], add_one)

    assert done.is_set()


def open_link(authority: Authority, port: int, certificate: Path) -> FleetLink:
    return FleetLink(
        host=HOST,
        port=port,
        certificate=certificate,
        private_key=authority.server_key,
        sites={},
    )


def test_a_port_in_use_is_explained(link: FleetLink, authority: Authority) -> None:
    with pytest.raises(ConfigError, match="Cannot listen on") as refused:
        open_link(authority, link.port, authority.server_certificate)
    assert "study.toml" in refused.value.remedy


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_certificate_that_does_not_fit_the_key_is_explained(authority: Authority) -> None:
    unfitting = open_link(authority, 0, authority.ca_certificate)

    with pytest.raises(ConnectionLost, match="did not start") as stopped, unfitting:
        pass
    assert "certificate and key" in stopped.value.remedy
