"""HTTPS to the coordinator and nobody else, with answers of a bounded size."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from bs_client.federation.transport import (
    MAX_RESPONSE_BYTES,
    AnswerTooLarge,
    Coordinator,
    clock_ahead_s,
    find_proxy,
    name_proxy,
    open_client,
)
from bs_common.errors import TrustError
from bs_server.trust.authority import Authority, make_authority
from support.tls_server import HOST, tls_server

NOON = datetime.datetime(2026, 1, 2, 12, tzinfo=datetime.UTC)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    folder = tmp_path_factory.mktemp("authority") / "authority"
    return make_authority(folder, study="t", names=[HOST], now=datetime.datetime.now(datetime.UTC))


@contextmanager
def asking(authority: Authority, answer: bytes) -> Iterator[tuple[httpx.Client, str]]:
    with tls_server(authority, answer) as port:
        coordinator = Coordinator(f"{HOST}:{port}", authority.ca_certificate.read_text(), "direct")
        with open_client(coordinator, timeout_s=5) as client:
            yield client, coordinator.url


@pytest.mark.parametrize("length", [f"content-length: {MAX_RESPONSE_BYTES + 1}\r\n", ""])
def test_an_answer_that_is_too_large_or_says_no_size_is_not_read(
    authority: Authority, length: str
) -> None:
    with (
        asking(authority, f"HTTP/1.1 200 OK\r\n{length}\r\n".encode()) as (client, url),
        pytest.raises(AnswerTooLarge),
    ):
        client.get(url)


def test_nobody_is_led_elsewhere(authority: Authority) -> None:
    elsewhere = b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"

    with asking(authority, elsewhere) as (client, url):
        assert client.get(url).status_code == 302


@pytest.mark.parametrize("pem", ["", "no certificate"])
def test_an_unreadable_authority_is_a_matter_of_trust(pem: str) -> None:
    with pytest.raises(TrustError, match="no readable certificate"):
        open_client(Coordinator("localhost:1", pem))


@pytest.mark.parametrize(
    ("setting", "https", "no", "found"),
    [
        (None, None, "", None),
        (None, "proxy.example.org:3128", "", "http://proxy.example.org:3128"),
        (None, "http://p:1", "example.org", None),
        (None, "http://p:1", "other.org", "http://p:1"),
        ("direct", "http://p:1", "", None),
        ("http://own:2", "http://p:1", "example.org", "http://own:2"),
    ],
)
def test_the_sites_own_setting_stands_before_the_environments(
    monkeypatch: pytest.MonkeyPatch,
    setting: str | None,
    https: str | None,
    no: str,
    found: str | None,
) -> None:
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    if https is not None:
        monkeypatch.setenv("HTTPS_PROXY", https)
    monkeypatch.setenv("NO_PROXY", no)

    assert find_proxy(Coordinator("c.example.org:8443", "", setting)) == found


def test_a_proxy_is_named_without_its_password() -> None:
    assert (
        name_proxy("http://user:geheim@proxy.example.org:3128") == "http://proxy.example.org:3128"
    )


@pytest.mark.parametrize(
    ("date", "ahead_s"),
    [
        ("Fri, 02 Jan 2026 12:00:00 GMT", -0.5),  # somewhere within that second
        ("Fri, 02 Jan 2026 11:50:00 GMT", 599.5),
        ("Fri, 02 Jan 2026 12:10:00 GMT", -600.5),
        ("yesterday", None),
    ],
)
def test_the_clock_is_compared_with_the_date_of_an_answer(date: str, ahead_s: float | None) -> None:
    assert clock_ahead_s(httpx.Response(404, headers={"date": date}), now=NOON) == ahead_s
