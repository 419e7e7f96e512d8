"""Attacks on the coordinator's door, over TLS on loopback: each is refused, and is in its log.

`test_attacks_by_message` has those in what is sent, `test_attacks_by_file` those in files,
`test_attacks_on_a_study` those on running processes.
"""

from __future__ import annotations

import contextlib
import datetime
import itertools
import socket
import ssl
import threading
import time
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, utils
from flwr.app import Message, RecordDict
from flwr.proto.fleet_pb2 import (
    PullMessagesRequest,
    PullMessagesResponse,
    PushMessagesRequest,
)
from flwr.proto.heartbeat_pb2 import SendNodeHeartbeatRequest
from flwr.proto.message_pb2 import (
    ConfirmMessageReceivedRequest,
    Metadata,
    ObjectTree,
    PullObjectRequest,
    PushObjectRequest,
)
from flwr.proto.message_pb2 import Message as ProtoMessage
from flwr.proto.node_pb2 import Node

from bs_client.federation.link import work_until
from bs_client.federation.transport import Coordinator
from bs_common.contract import MessageType
from bs_common.errors import TrustError
from bs_common.keys import read_private_key
from bs_common.messages import Reply
from bs_server.federation.exchange import NoAnswer
from bs_server.gateway import admission, connection, guard
from bs_server.trust.authority import make_authority
from support.attacked import (
    ELSEWHERE,
    Attacked,
    attacked,
    request,
    site_past_its_gate,
    site_with_gate,
    wait_for,
)
from support.raw_site import RawSite
from support.study_maker import HOST

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

ADDRESSES = itertools.count(1)
STRANGER = ec.generate_private_key(ec.SECP256R1())


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    with attacked(tmp_path_factory.mktemp("attacked")) as opened:
        yield opened


@pytest.fixture
def under(running: Attacked) -> Attacked:
    running.news()
    return running


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Attacked]:
    """A coordinator that one test may leave as it likes."""
    with attacked(tmp_path) as opened:
        yield opened


@pytest.fixture
def stranger(under: Attacked) -> Iterator[RawSite]:
    # An address that is not known may open five connections a second: each test has its own.
    source = f"127.0.1.{next(ADDRESSES)}"
    with RawSite(under.link.port, under.ca_certificate, STRANGER, source=source) as opened:
        yield opened


def is_bare(answered: httpx.Response, status: int) -> bool:
    """Tell whether an answer says its status and nothing else."""
    told = set(answered.headers) - {"date", "connection"}
    return answered.status_code == status and not answered.content and told == {"content-length"}


# --- keys and signatures


def test_a_key_that_is_not_enrolled(under: Attacked, stranger: RawSite) -> None:
    answered = stranger.post("activate-node", stranger.activation())

    assert is_bare(answered, 401)
    assert under.news() == [(stranger.source, "unknown_key")]


def test_a_request_without_a_signature(under: Attacked, stranger: RawSite) -> None:
    answered = stranger.post("pull-messages", headers={"content-type": "application/protobuf"})

    assert is_bare(answered, 401)
    assert under.news() == [(stranger.source, "unsigned")]


def test_an_enrolled_key_signed_by_somebody_else(under: Attacked, stranger: RawSite) -> None:
    with under.raw("aachen") as aachen:
        headers = stranger.signed() | {"flwr-public-key": aachen.signed()["flwr-public-key"]}

    assert is_bare(stranger.post("activate-node", headers=headers), 401)
    assert under.news() == [(stranger.source, "signature")]


@pytest.mark.parametrize("ahead_s", [8, 600, -320, -600])
def test_a_signature_of_another_time(under: Attacked, ahead_s: float) -> None:
    with under.raw("aachen") as aachen:
        answered = aachen.post(
            "activate-node", aachen.activation(), headers=aachen.signed(ahead_s=ahead_s)
        )

    assert is_bare(answered, 401)
    assert under.news() == [("aachen", "clock")]


def test_a_replayed_request_with_the_same_or_another_body(under: Attacked) -> None:
    with under.raw("aachen") as aachen:
        node = Node(node_id=aachen.activate())
        headers = aachen.signed()
        beat = SendNodeHeartbeatRequest(node=node, heartbeat_interval=30)
        assert aachen.post("send-node-heartbeat", beat, headers=headers).status_code == 200

        again = aachen.post("send-node-heartbeat", beat, headers=headers)
        other = aachen.post("pull-messages", PullMessagesRequest(node=node), headers=headers)

    assert is_bare(again, 401)
    assert is_bare(other, 401)
    assert under.news() == [("aachen", "replayed")] * 2


def test_a_replayed_request_whose_signature_was_turned_into_another_valid_one(
    under: Attacked,
) -> None:
    with under.raw("aachen") as aachen:
        headers = aachen.signed()
        assert aachen.post("activate-node", aachen.activation(), headers=headers).is_success
        r, s = utils.decode_dss_signature(b64decode(headers["flwr-signature"]))
        order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # P-256
        turned = utils.encode_dss_signature(r, order - s)  # also fits: ECDSA does not name one

        answered = aachen.post(
            "activate-node",
            aachen.activation(),
            headers=headers | {"flwr-signature": b64encode(turned).decode()},
        )

    assert is_bare(answered, 401)
    assert under.news() == [("aachen", "replayed")]


def test_a_site_that_speaks_as_another_site(under: Attacked) -> None:
    with under.raw("aalborg") as aalborg, under.raw("aachen") as aachen:
        other = Node(node_id=aalborg.activate())
        aachen.activate()
        claimed = aachen.post("pull-messages", PullMessagesRequest(node=other))
        activated = aachen.post("activate-node", aalborg.activation())

    assert (claimed.status_code, activated.status_code) == (401, 401)
    assert under.news() == [("aachen", "not_this_site")] * 2


def handed_to(site: RawSite, node: Node) -> ProtoMessage:
    pulled = site.post("pull-messages", PullMessagesRequest(node=node))
    message: ProtoMessage = PullMessagesResponse.FromString(pulled.content).messages_list[0]
    return message


def test_a_site_that_reaches_for_the_messages_of_another(own: Attacked) -> None:
    with own.raw("aalborg") as aalborg, own.raw("aachen") as aachen:
        victim, node = Node(node_id=aalborg.activate()), Node(node_id=aachen.activate())
        own.link.send("aalborg", "train", request_content(), group="1")
        message_id = handed_to(aalborg, victim).metadata.message_id
        run_id = own.link._run_id  # an insider knows it

        pulled = aachen.post(
            "pull-object", PullObjectRequest(node=node, run_id=run_id, object_id=message_id)
        )
        removed = aachen.post(
            "confirm-message-received",
            ConfirmMessageReceivedRequest(node=node, run_id=run_id, message_object_id=message_id),
        )
        answered = aachen.post(
            "push-messages", forged_answer(node, victim.node_id, message_id, run_id)
        )
        pushed = aachen.post(
            "push-object",
            PushObjectRequest(node=node, run_id=run_id, object_id="b" * 64, object_content=b"x"),
        )

    assert {r.status_code for r in (pulled, removed, answered, pushed)} == {403}
    assert own.news() == [("aachen", "not_yours")] * 4


def request_content() -> RecordDict:
    return request(MessageType.TRAIN)


def forged_answer(node: Node, source: int, message_id: str, run_id: int) -> PushMessagesRequest:
    """An answer to another site's message, sent by `node` and signed as coming from `source`."""
    metadata = Metadata(
        run_id=run_id, src_node_id=source, reply_to_message_id=message_id, message_type="train"
    )
    return PushMessagesRequest(
        node=node,
        messages_list=[ProtoMessage(metadata=metadata)],
        message_object_trees=[ObjectTree(object_id="b" * 64)],
    )


def test_a_revoked_key_is_refused_at_once_and_what_it_was_asked_is_answered_for_it(
    own: Attacked,
) -> None:
    release = threading.Event()

    def hanging(message: Message) -> Message:
        release.wait(20)
        return message

    with site_past_its_gate(own, "aalborg", hanging), own.raw("aalborg") as aalborg:
        answers: list[object] = []
        asking = threading.Thread(
            target=lambda: answers.append(own.ask("aalborg", MessageType.DESCRIBE, 0))
        )
        asking.start()
        wait_for(lambda: ("aalborg", "passed") in own.news())

        own.link.revoke("aalborg")
        asking.join(5)

        assert answers == [NoAnswer("revoked")]
        assert is_bare(aalborg.post("activate-node", aalborg.activation()), 403)
        assert "aalborg" not in own.link.online()
        release.set()
    assert ("aalborg", "revoked") in own.news()


def test_a_revoked_site_is_told_so_and_ends(own: Attacked) -> None:
    own.link.revoke("aachen")
    coordinator = Coordinator(f"{HOST}:{own.link.port}", own.ca_certificate)
    key = read_private_key(own.study.sites["aachen"].key)

    with pytest.raises(TrustError, match="ended this site's access") as told:
        work_until(threading.Event(), coordinator, key, lambda message: message)
    assert "new folder" in told.value.remedy


# --- TLS


def test_plain_http(under: Attacked) -> None:
    with socket.create_connection((HOST, under.link.port), source_address=(ELSEWHERE, 0)) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: coordinator\r\n\r\n")
        received = plain.recv(1000)

    assert b"HTTP" not in received
    wait_for(lambda: (ELSEWHERE, "no_tls") in under.news())


def test_a_coordinator_of_another_authority_learns_nothing_from_a_site(
    under: Attacked, tmp_path: Path
) -> None:
    now = datetime.datetime.now(datetime.UTC)
    other = make_authority(tmp_path / "other", study="attacked", names=[HOST], now=now)
    coordinator = Coordinator(f"{HOST}:{under.link.port}", other.ca_certificate.read_text())
    key = read_private_key(under.study.sites["aachen"].key)

    with pytest.raises(TrustError, match="not accepted"):
        work_until(threading.Event(), coordinator, key, lambda message: message)
    wait_for(lambda: (HOST, "no_tls") in under.news())


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_an_old_version_of_tls(under: Attacked, version: ssl.TLSVersion) -> None:
    context = ssl.create_default_context(cadata=under.ca_certificate)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        context.minimum_version = context.maximum_version = version

    with (
        pytest.raises(ssl.SSLError),
        socket.create_connection((HOST, under.link.port)) as plain,
    ):
        context.wrap_socket(plain, server_hostname=HOST)
    wait_for(lambda: (HOST, "no_tls") in under.news())


# --- HTTP


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/docs",
        "/openapi.json",
        "/metrics",
        "/v1/fleet",
        "/v1/fleet/register-node",
        "/v1/fleet/unregister-node",
        "/v1/fleet/get-run",
        "/v1/fleet/get-fab",
        "/v1/fleet/pull-messages/",
        "//v1/fleet/pull-messages",
        "/v1/control/start-run",
        "/v1/runtime/push-messages",
        "/v1/fleet/../../study.toml",
        "/%2e%2e/authority/ca.key",
        "/v1/fleet/pull-messages%00",
    ],
)
def test_any_path_but_those_that_a_site_calls(
    under: Attacked, stranger: RawSite, path: str
) -> None:
    methods = ("GET", "POST", "PUT", "HEAD", "OPTIONS", "TRACE")

    answers = [stranger.client.request(m, path, headers=stranger.signed()) for m in methods]

    assert all(is_bare(answered, 404) for answered in answers)
    assert under.news() == [(stranger.source, "no_such_path")]  # one line that stands for six


def test_an_enrolled_site_finds_no_other_path_either(under: Attacked) -> None:
    with under.raw("aachen") as aachen:
        answered = aachen.post("get-run")

    assert is_bare(answered, 404)
    assert under.news() == [(HOST, "no_such_path")]


def test_a_stranger_s_body_is_not_read(under: Attacked, stranger: RawSite) -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        while sent < 2**28:
            sent += 2**16
            yield b"\0" * 2**16

    with contextlib.suppress(httpx.TransportError):  # cut off while sending
        stranger.client.post("/v1/fleet/push-object", content=endless(), headers=stranger.signed())

    assert sent < 2**24  # what lies in the sockets' buffers when the connection ends
    assert under.news() == [(stranger.source, "unknown_key")]


@pytest.mark.parametrize("chunked", [True, False])
def test_a_site_s_body_that_is_larger_than_any_of_its_objects(
    under: Attacked, chunked: bool
) -> None:
    content = b"\0" * 3_000_000
    given = iter([content[:1_500_000], content[1_500_000:]]) if chunked else content

    with under.raw("aachen") as aachen:
        try:
            answered = aachen.client.post(
                "/v1/fleet/push-object", content=given, headers=aachen.signed()
            )
        except httpx.TransportError:
            answered = httpx.Response(413, headers={"content-length": "0"})  # cut off while sending

    assert is_bare(answered, 413)
    assert under.news() == [("aachen", "too_large")]


@pytest.mark.parametrize(
    "length",
    [
        "5",
        "5\r\ncontent-length: 6",
        "-1",
        "99999999999999999999",
        "5\r\ntransfer-encoding: chunked",
    ],
)
def test_a_length_that_is_not_the_body_s(under: Attacked, length: str) -> None:
    with under.raw("aachen") as aachen:
        headers = aachen.signed()
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    smuggled = b"POST /v1/fleet/get-run HTTP/1.1\r\nhost: c\r\n\r\n"

    with raw_tls(under) as tls:
        tls.sendall(
            f"POST /v1/fleet/pull-messages HTTP/1.1\r\nhost: c\r\n{head}"
            f"content-length: {length}\r\n\r\n".encode()
            + b"x" * 20
            + smuggled
        )
        received = read_all(tls)

    assert b"200" not in received.split(b"\r\n")[0]
    assert received.count(b"HTTP/1.1") == 1
    assert under.news()


def raw_tls(under: Attacked, source: str = HOST) -> ssl.SSLSocket:
    context = ssl.create_default_context(cadata=under.ca_certificate)
    plain = socket.create_connection((HOST, under.link.port), source_address=(source, 0))
    tls = context.wrap_socket(plain, server_hostname=HOST)
    tls.settimeout(10)
    return tls


def read_all(tls: ssl.SSLSocket) -> bytes:
    received = b""
    with contextlib.suppress(OSError):
        while part := tls.recv(4096):
            received += part
    return received


@pytest.mark.parametrize(
    "body", [b"\xff" * 3000, b"\x0a" * 4000, b"\x0a\x84\x1f" * 1300, b"\x1f\x8b\x08\x00" * 100]
)
def test_a_body_that_is_no_message(under: Attacked, body: bytes) -> None:
    with under.raw("aachen") as aachen:
        answered = aachen.post("pull-messages", body)

    assert any(is_bare(answered, status) for status in (400, 401))
    assert under.news()[0][1] in ("unreadable", "not_this_site")


def test_a_compressed_body_is_not_unpacked(under: Attacked) -> None:
    with under.raw("aachen") as aachen:
        headers = aachen.signed() | {"content-encoding": "gzip"}
        answered = aachen.post("pull-messages", b"\x1f\x8b" + b"\0" * 100, headers=headers)

    assert is_bare(answered, 415)
    assert under.news() == [("aachen", "encoded")]


def test_an_endless_head(under: Attacked) -> None:
    with raw_tls(under, ELSEWHERE) as tls, pytest.raises(OSError):
        tls.sendall(b"GET / HTTP/1.1\r\n")
        for number in range(100_000):
            tls.sendall(f"x-{number}: {'y' * 1000}\r\n".encode())
    wait_for(lambda: (ELSEWHERE, "too_large") in under.news())


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nhost: c\r\n"])
def test_a_head_that_never_ends(
    under: Attacked, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(connection, "HEAD_S", 0.3)

    with raw_tls(under, ELSEWHERE) as tls:
        tls.sendall(sent)
        assert read_all(tls) == b""
    assert (ELSEWHERE, "too_slow") in under.news()


def test_a_body_that_never_comes(under: Attacked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "_BODY_S", 0.3)
    monkeypatch.setattr(guard, "_SLOW_LINE_BYTES_S", 2**30)
    with under.raw("aachen") as aachen:
        head = "".join(f"{name}: {value}\r\n" for name, value in aachen.signed().items())

    with raw_tls(under) as tls:
        tls.sendall(
            f"POST /v1/fleet/push-object HTTP/1.1\r\nhost: c\r\n{head}"
            "content-length: 1000\r\n\r\n".encode()
        )
        assert read_all(tls).startswith(b"HTTP/1.1 408")
    assert under.news() == [("aachen", "too_slow")]


def test_words_that_are_not_http(under: Attacked) -> None:
    with raw_tls(under, ELSEWHERE) as tls:
        tls.sendall(b"\x00\x01SSH-2.0\r\n\r\n")
        received = read_all(tls)

    assert received == b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    assert under.news() == [(ELSEWHERE, "bad_request")]


def test_no_answer_to_a_stranger_names_a_program_or_a_version(
    under: Attacked, stranger: RawSite
) -> None:
    answers = [
        stranger.post("activate-node", b"\xff", headers=headers)
        for headers in ({}, stranger.signed(), stranger.signed() | {"flwr-timestamp": "x" * 100})
    ]

    said = " ".join(f"{a.headers} {a.text}" for a in answers).lower()
    assert not any(word in said for word in ("uvicorn", "flwr", "python", "traceback", "server:"))


# --- flooding


def test_a_flood_of_connections_takes_nothing_from_the_sites(own: Attacked) -> None:
    with site_with_gate(own, "aachen"):
        held = [open_plain(own) for _ in range(300)]
        try:
            started = time.monotonic()
            answers = [own.ask("aachen", MessageType.TRAIN, number) for number in (1, 2, 3)]
            seconds = time.monotonic() - started
        finally:
            for plain in held:
                plain.close()

    assert all(isinstance(answer, Reply) for answer in answers)
    assert seconds < 15
    assert own.link.refused["too_many"] >= 260  # 32 fit, for one address that is not known


def open_plain(under: Attacked) -> socket.socket:
    return socket.create_connection((HOST, under.link.port), source_address=(ELSEWHERE, 0))


def test_a_flood_of_requests_is_counted_and_does_not_fill_the_disk(own: Attacked) -> None:
    stop = threading.Event()

    def flood() -> None:
        while not stop.is_set():
            try:
                with RawSite(own.link.port, own.ca_certificate, STRANGER, source=ELSEWHERE) as one:
                    one.post("activate-node")
            except httpx.TransportError:
                continue

    attackers = [threading.Thread(target=flood, daemon=True) for _ in range(4)]
    started = time.monotonic()
    with site_with_gate(own, "aachen"):
        for attacker in attackers:
            attacker.start()
        answers = [own.ask("aachen", MessageType.TRAIN, number) for number in (1, 2, 3)]
        wait_for(lambda: own.link.refused.get("too_many", 0) > 50)
        stop.set()
        for attacker in attackers:
            attacker.join(20)

    assert all(isinstance(answer, Reply) for answer in answers)
    verdicts = Counter(own.news())
    assert verdicts[(ELSEWHERE, "unknown_key")] == 1  # one line that says how many
    assert verdicts[(ELSEWHERE, "too_many")] == 1
    # 40 at once and 5 a second; what came faster was refused before TLS.
    assert own.link.refused["unknown_key"] <= 41 + 5 * (time.monotonic() - started)


def test_one_site_s_flood_leaves_the_others_room(
    own: Attacked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "_PER_SECOND", 10.0)
    monkeypatch.setattr(admission, "_AT_ONCE", 40.0)
    with site_with_gate(own, "aachen"), own.raw("aalborg") as aalborg:
        node = Node(node_id=aalborg.activate())
        statuses = {
            aalborg.post("pull-messages", PullMessagesRequest(node=node)).status_code
            for _ in range(120)
        }
        monkeypatch.setattr(admission, "_PER_SECOND", 300.0)

        assert isinstance(own.ask("aachen", MessageType.DESCRIBE, 0), Reply)
    assert statuses == {200, 429}
    assert ("aalborg", "too_many") in own.news()
