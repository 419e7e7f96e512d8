"""A coordinator that was taken over: it has the right certificate, and sends without end."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from flwr.app import Message, RecordDict
from flwr.app.message import remove_content_from_message
from flwr.common.serde import message_to_proto
from flwr.proto.fleet_pb2 import (
    ActivateNodeResponse,
    PullMessagesResponse,
    PushMessagesRequest,
    PushMessagesResponse,
)
from flwr.proto.heartbeat_pb2 import SendNodeHeartbeatResponse
from flwr.proto.message_pb2 import (
    ConfirmMessageReceivedResponse,
    ObjectTree,
    PullObjectResponse,
    PushObjectResponse,
)

from bs_server.trust.authority import Authority
from support.raw_site import Proto
from support.study_maker import HOST

_PART = b"\0" * 2**16


@dataclass
class Hostile:
    """What it sends in place of an object, and what came back.

    parts : pieces of 64 KiB that it would send; `sent` counts those that were taken.
    headers : further headers of that answer.
    status : of that answer.
    content : a well-formed object that is sent instead.
    """

    parts: int = 2**30 // len(_PART)
    headers: dict[str, str] = field(default_factory=dict)
    status: int = 200
    objects: int = 1
    content: bytes | None = None
    sent: int = 0
    answers: list[PushMessagesRequest] = field(default_factory=list)
    port: int = 0


@contextmanager
def hostile_coordinator(authority: Authority, hostile: Hostile) -> Iterator[Hostile]:
    """Serve one train message, whose objects never end."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            call = self.path.rsplit("/", maxsplit=1)[-1]
            if call == "pull-object" and hostile.content is None:
                self._flood()
            else:
                self._send(_answer(call, hostile).SerializeToString())

        def _flood(self) -> None:
            self.send_response(hostile.status)
            for name, value in hostile.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(hostile.parts * len(_PART)))
            self.end_headers()
            try:
                for _ in range(hostile.parts):
                    self.wfile.write(_PART)
                    hostile.sent += len(_PART)
            except OSError:
                self.close_connection = True

        def _send(self, content: bytes) -> None:
            hostile.sent += len(content)
            self.send_response(200)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.server_certificate, authority.server_key)
    server = ThreadingHTTPServer((HOST, 0), Handler)
    server.daemon_threads = True
    server.socket = context.wrap_socket(server.socket, server_side=True)
    hostile.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield hostile
    finally:
        server.shutdown()
        server.server_close()


def _answer(call: str, hostile: Hostile) -> Proto:
    plain: dict[str, Proto] = {
        "activate-node": ActivateNodeResponse(node_id=7),
        "send-node-heartbeat": SendNodeHeartbeatResponse(success=True),
        "confirm-message-received": ConfirmMessageReceivedResponse(),
        "push-messages": PushMessagesResponse(),
        "push-object": PushObjectResponse(stored=True),
        "pull-object": PullObjectResponse(
            object_found=True, object_available=True, object_content=hostile.content or b""
        ),
    }
    return _message(hostile) if call == "pull-messages" else plain.get(call, PullObjectResponse())


def _message(hostile: Hostile) -> PullMessagesResponse:
    message = Message(RecordDict(), 7, "train", group_id="1")
    message.metadata.__dict__["_message_id"] = "a" * 64
    children = [ObjectTree(object_id=f"{number:064x}") for number in range(hostile.objects)]
    return PullMessagesResponse(
        messages_list=[message_to_proto(remove_content_from_message(message))],
        message_object_trees=[ObjectTree(object_id="a" * 64, children=children)],
    )
