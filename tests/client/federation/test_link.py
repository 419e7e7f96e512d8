"""A site's end of the wire where nobody answers; `tests/server/gateway/test_link.py` has both."""

from __future__ import annotations

import datetime
import logging
import random
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from flwr.app import Message

from bs_client.federation import link
from bs_client.federation.link import work_until
from bs_client.federation.transport import Coordinator
from bs_common.errors import TrustError
from bs_server.trust.authority import make_authority

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]

HOST = "127.0.0.1"
KEY = ec.generate_private_key(ec.SECP256R1())


@pytest.fixture(scope="module")
def ca_certificate(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("authority") / "authority"
    now = datetime.datetime.now(datetime.UTC)
    return make_authority(folder, study="t", names=[HOST], now=now).ca_certificate.read_text()


def never(_message: Message) -> Message:
    raise AssertionError("nothing can arrive")


@contextmanager
def peer_that_says(words: bytes) -> Iterator[int]:
    """Something else than a coordinator behind the port."""
    with socket.create_server((HOST, 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(words)

        threading.Thread(target=serve, daemon=True).start()
        yield int(server.getsockname()[1])
        server.shutdown(socket.SHUT_RDWR)


def work_for(seconds: float, address: str, ca_certificate: str) -> None:
    done = threading.Event()
    timer = threading.Timer(seconds, done.set)
    timer.start()
    try:
        work_until(done, Coordinator(address, ca_certificate), KEY, never)
    finally:
        timer.cancel()


def test_an_absent_coordinator_is_tried_again_ever_more_slowly_until_the_site_is_stopped(
    ca_certificate: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "_RETRY_MIN_S", 0.1)
    monkeypatch.setattr(link, "_JITTER", 0)

    with socket.socket() as probe, caplog.at_level(logging.WARNING):
        probe.bind((HOST, 0))
        work_for(1.0, f"{HOST}:{probe.getsockname()[1]}", ca_certificate)

    said = [r.getMessage() for r in caplog.records if "trying again in" in r.getMessage()]
    waits = [text.rsplit(" in ")[1] for text in said]
    assert len(waits) >= 2
    assert waits == ["0.1 s", "0.2 s", "0.4 s", "0.8 s"][: len(waits)]


def test_waits_differ_from_site_to_site_and_have_a_ceiling(
    ca_certificate: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "_RETRY_MIN_S", 0.08)
    monkeypatch.setattr(link, "_RETRY_MAX_S", 0.1)
    monkeypatch.setattr(link, "_why", lambda _error: "")
    drawn: list[float] = []
    uniform = random.uniform

    def noted(low: float, high: float) -> float:
        drawn.append(uniform(low, high))
        return drawn[-1]

    monkeypatch.setattr(link.random, "uniform", noted)  # type: ignore[attr-defined]

    with socket.socket() as probe, caplog.at_level(logging.WARNING):
        probe.bind((HOST, 0))
        work_for(1.5, f"{HOST}:{probe.getsockname()[1]}", ca_certificate)

    assert len(set(drawn)) == len(drawn) >= 3
    assert all(0.75 <= factor <= 1.25 for factor in drawn)
    assert len(drawn) >= 1.0 / (0.1 * 1.25) / 3  # the waits stop growing


@pytest.mark.parametrize("words", [b"", b"HTTP/1.1 200 OK\r\n\r\n", b"SSH-2.0-OpenSSH_9.2\r\n"])
def test_something_else_than_a_coordinator_is_no_reason_to_end(
    ca_certificate: str, caplog: pytest.LogCaptureFixture, words: bytes
) -> None:
    with caplog.at_level(logging.WARNING), peer_that_says(words) as port:
        work_for(0.2, f"{HOST}:{port}", ca_certificate)

    assert "no connection" in caplog.text


def test_a_site_that_was_stopped_before_it_began_does_not_connect(ca_certificate: str) -> None:
    done = threading.Event()
    done.set()

    work_until(done, Coordinator("nowhere.invalid:1", ca_certificate), KEY, never)


@pytest.mark.parametrize("certificate", ["", "not a certificate", "-----BEGIN CERTIFICATE-----\n"])
def test_an_invitation_without_a_certificate_is_a_matter_of_trust(certificate: str) -> None:
    with pytest.raises(TrustError):
        work_for(0.2, f"{HOST}:1", certificate)
