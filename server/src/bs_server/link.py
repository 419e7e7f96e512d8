"""The coordinator's end of Flower's Fleet API: the one module here that uses Flower's internals.

It serves the Fleet routes, and nothing else, over HTTPS in a thread of this process, admits only
enrolled keys, and hands messages over by site name. Written for flwr 1.41; every internal name
used here was read in that release.
"""

from __future__ import annotations

import asyncio
import logging
import math
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace, TracebackType
from typing import Any, Self

import uvicorn
from cryptography.hazmat.primitives.asymmetric import ec
from fastapi import HTTPException
from flwr.app import Message, RecordDict
from flwr.app.message import remove_content_from_message
from flwr.common.constant import SUPERLINK_NODE_ID
from flwr.proto.fleet_pb2 import (
    ActivateNodeRequest,
    DeactivateNodeRequest,
    PullMessagesRequest,
    PushMessagesRequest,
)
from flwr.proto.heartbeat_pb2 import SendNodeHeartbeatRequest
from flwr.proto.message_pb2 import (
    ConfirmMessageReceivedRequest,
    ObjectTree,
    PullObjectRequest,
    PushObjectRequest,
)
from flwr.server.superlink.linkstate.in_memory_linkstate import InMemoryLinkState
from flwr.supercore.constant import NOOP_FEDERATION_ID, TaskType
from flwr.supercore.error import FlowerError
from flwr.supercore.error.catalog import API_ERROR_MAP
from flwr.supercore.inflatable.inflatable_object import (
    get_all_nested_objects,
    get_object_tree,
    iterate_object_tree,
    no_object_id_recompute,
)
from flwr.supercore.object_store import NoObjectInStoreError
from flwr.supercore.object_store.in_memory_object_store import InMemoryObjectStore
from flwr.supercore.primitives.asymmetric import public_key_to_bytes
from flwr.supercore.protobuf.constants import PROTOBUF_MEDIA_TYPE
from flwr.supercore.task_identity import TaskIdentity
from flwr.superlink.federation import NoOpFederationManager
from flwr.superlink.routers.fleet.node_auth import authenticate_node
from flwr.superlink.servicer.fleet import fleet_handlers as handlers
from google.protobuf.message import DecodeError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from bs_common.errors import ConfigError, ConnectionLost
from bs_common.flower_objects import hash_once, inflate_message

_log = logging.getLogger(__name__)
_OWNER = "bone-scan-study"
_TASK_HEARTBEAT_S = 10.0  # Flower fails a task that is silent for longer than its lease
_START_TIMEOUT_S = 20.0
_WORKERS = 8  # requests answered at once; more wait their turn
# Flower forgets a message after its lifetime, 12 hours if nothing is said. Here the study's own
# deadlines decide, which may be days.
_TTL_S = 365 * 24 * 3600.0


class FleetLink:
    """Messages to and from the enrolled sites, while the context is open.

    Parameters
    ----------
    host, port : the address to listen on; port 0 takes a free one, see `port`.
    certificate, private_key : PEM files of the server certificate (with its chain) and its key.
    sites : public key of each enrolled site, by name. No other key can connect.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        certificate: Path,
        private_key: Path,
        sites: Mapping[str, ec.EllipticCurvePublicKey],
    ) -> None:
        self._state = _StudyState(NoOpFederationManager(simulation=False), _WholeTreeStore())
        self._node_ids = {
            name: self._state.create_node(_OWNER, _OWNER, public_key_to_bytes(key), 0, name=name)
            for name, key in sorted(sites.items())
        }
        self._socket = _listen(host, port)
        self._server = _web_server(self._state, certificate, private_key)
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), name="fleet-api", daemon=True
        )
        self._stopping = threading.Event()
        self._hashed: RecordDict | None = None

    @property
    def port(self) -> int:
        """Port that the link listens on."""
        return int(self._socket.getsockname()[1])

    def __enter__(self) -> Self:
        self._thread.start()
        end = time.monotonic() + _START_TIMEOUT_S
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > end:
                raise ConnectionLost(
                    "The Fleet API did not start.",
                    remedy="Check the server certificate and key, and that the port is free.",
                )
            time.sleep(0.01)
        self._run_id, task_id = _open_run(self._state)
        threading.Thread(
            target=self._keep_task_alive, args=(task_id,), name="fleet-task", daemon=True
        ).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopping.set()
        self._server.should_exit = True
        self._thread.join(timeout=5)
        self._socket.close()

    def online(self) -> frozenset[str]:
        """Names of the sites whose connection is alive now."""
        nodes = self._state.get_node_info(node_ids=list(self._node_ids.values()))
        alive = {node.node_id for node in nodes if node.status == "online"}
        return frozenset(name for name, node_id in self._node_ids.items() if node_id in alive)

    def connections(self, site: str) -> int:
        """How often the site has connected; a message sent before the last time is lost."""
        return self._state.activations[self._node_ids[site]]

    def send(self, site: str, message_type: str, content: RecordDict, *, group: str) -> str:
        """Queue a message for a site and give the ticket for its reply."""
        if content is not self._hashed:  # the same content goes to one site after another
            hash_once(content)
            self._hashed = content
        node_id = self._node_ids[site]
        message = Message(content, node_id, message_type, ttl=_TTL_S, group_id=group)
        with no_object_id_recompute():
            ticket = str(message.object_id)
            message.metadata.__dict__["_message_id"] = ticket
            if not self._state.queue(self._run_id, message):
                raise ConnectionLost(f"The message for {site} could not be queued.")
        return ticket

    def receive(self, ticket: str) -> Message | None:
        """Give the reply to a sent message once all of it has arrived, without waiting.

        Raises ContractError if what arrived is no message.
        """
        if not self._state.reply_is_complete(ticket):
            return None
        return self._state.take_reply(self._run_id, ticket)

    def drop(self, ticket: str) -> None:
        """Forget a sent message and any reply to it."""
        self._state.delete_messages({ticket})

    def _keep_task_alive(self, task_id: int) -> None:
        while not self._stopping.wait(_TASK_HEARTBEAT_S):
            self._state.acknowledge_task_heartbeat(task_id)


class _StudyState(InMemoryLinkState):
    """Flower's state, in which a site that comes back is admitted at once."""

    def __init__(self, manager: NoOpFederationManager, store: _WholeTreeStore) -> None:
        super().__init__(manager, store)
        self._store = store
        self.activations: Counter[int] = Counter()

    def activate_node(self, node_id: int, heartbeat_interval: float) -> bool:
        # After kill -9 the old lease would keep the same key out for up to 60 s.
        with self.lock:
            self.deactivate_node(node_id)
            activated = bool(super().activate_node(node_id, heartbeat_interval))
            self.activations[node_id] += activated
            return activated

    def get_message_res(self, message_ids: set[str], run_id: int) -> list[Message]:
        # Flower gives an error in place of a reply whose site has gone since: after its answer, or
        # because this machine's clock was set. Only whole replies are asked for here.
        with self.lock:
            asked = [self.message_ins_store[i] for i in message_ids if i in self.message_ins_store]
            nodes = [self.nodes[message.metadata.dst_node_id] for message in asked]
            leases = [node.online_until for node in nodes]
            for node in nodes:
                node.online_until = math.inf
            try:
                replies: list[Message] = super().get_message_res(message_ids, run_id)
                return replies
            finally:
                for node, online_until in zip(nodes, leases, strict=True):
                    node.online_until = online_until

    def _cleanup_expired_task_tokens_locked(self) -> None:
        """Keep the study's run: it is this process's own and ends with it.

        Flower ends a run for good when its heartbeat is late by the clock on the wall: when that
        was set, or the machine had been suspended. No reply would be taken any more.
        """

    def reply_is_complete(self, message_id: str) -> bool:
        with self.lock:
            reply_id = self.message_ins_id_to_message_res_id.get(message_id)
            # A site has an open session as long as it has objects of its reply to push.
            if reply_id is None or reply_id in self._object_push_session_by_root:
                return False
        return self._store.holds_whole_tree(reply_id)

    def queue(self, run_id: int, message: Message) -> bool:
        """Store a message with its objects, for its site to pull."""
        objects = get_all_nested_objects(message)
        session = self.start_session(run_id)
        header = remove_content_from_message(message)
        stored, missing = self.store_message_and_object_tree(
            header, get_object_tree(message), session
        )
        return bool(stored) and all(
            self.store_object(run_id, session, object_id, objects[object_id].deflate())
            for object_id in missing
        )

    def take_reply(self, run_id: int, message_id: str) -> Message | None:
        """Give the whole reply to a message and forget both; None if it has been dropped."""
        replies = self.get_message_res({message_id}, run_id)
        self.delete_messages({message_id})
        if not replies:
            return None
        reply = replies[0]
        reply_id = reply.metadata.message_id
        if reply_id not in self._store:
            return reply  # Flower's own word, such as that the message has expired
        return inflate_message(reply_id, self._store.take(reply_id))


class _WholeTreeStore(InMemoryObjectStore):
    """Flower's store with its lock held over a whole tree.

    The original takes the lock per object, so that a `delete` in between can remove an object
    that two messages share before the second has counted it.
    """

    def put(self, object_id: str, object_content: bytes) -> None:
        # Another site has sent the same bytes, and their message was taken, before this push.
        with suppress(NoObjectInStoreError):
            super().put(object_id, object_content)

    def preregister(self, run_id: int, object_tree: ObjectTree) -> list[str]:
        with self.lock_store:
            missing: list[str] = super().preregister(run_id, object_tree)
            return missing

    def holds_whole_tree(self, object_id: str) -> bool:
        with self.lock_store:
            if object_id not in self.store:
                return False
            tree = self.get_object_tree(object_id)
            return all(
                self.store[node.object_id].is_available for node in iterate_object_tree(tree)
            )

    def take(self, object_id: str) -> dict[str, bytes]:
        """Give the bytes of a whole tree by object id and let the tree go."""
        with self.lock_store:
            nodes = iterate_object_tree(self.get_object_tree(object_id))
            contents = {node.object_id: self.store[node.object_id].content for node in nodes}
            self.delete(object_id)
            return contents


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), backlog=128)
    except OSError as error:
        raise ConfigError(
            f"Cannot listen on {host}:{port} ({error.strerror}).",
            remedy="Choose another address or port under [server] in study.toml.",
        ) from error


def _web_server(state: _StudyState, certificate: Path, private_key: Path) -> uvicorn.Server:
    logging.getLogger("flwr").setLevel(logging.ERROR)
    server = uvicorn.Server(
        uvicorn.Config(
            _FleetApi(state),
            ssl_certfile=str(certificate),
            ssl_keyfile=str(private_key),
            interface="asgi3",
            lifespan="off",
            log_level="error",
            server_header=False,
            date_header=True,  # by which a site tells that its clock is off
            timeout_keep_alive=120,
        )
    )
    # Signals belong to the command, not to a thread of it.
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    return server


class _FleetApi:
    """The Fleet API as one plain ASGI application; nothing but the paths in `_ROUTES` exists.

    Flower builds the same from FastAPI and three middlewares, which cost more than the work of
    most requests. Parsing, authentication and handlers are Flower's own. An error is a bare
    status: a stranger learns neither a version nor a reason.
    """

    def __init__(self, state: _StudyState) -> None:
        self._state = state
        self._app = SimpleNamespace(
            state=SimpleNamespace(linkstate_factory=SimpleNamespace(state=lambda: state))
        )
        self._workers = ThreadPoolExecutor(_WORKERS, thread_name_prefix="fleet-worker")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request({**scope, "app": self._app, "state": {}}, receive)
        route = _ROUTES.get(request.url.path) if request.method == "POST" else None
        if route is None:
            response = Response(status_code=404)
        else:
            body = await request.body()
            response = await asyncio.get_running_loop().run_in_executor(
                self._workers, self._answer, route, request, body
            )
        await response(scope, receive, send)

    def _answer(self, route: _Route, request: Request, body: bytes) -> Response:
        kind, handler = route
        try:
            asked = kind.FromString(body)
            request.state.protobuf_request = asked
            authenticate_node(request)
            answer = handler(asked, self._state)
        except DecodeError:
            return Response(status_code=400)
        except HTTPException as error:
            return Response(status_code=error.status_code)
        except FlowerError as error:
            _log.info("refused %s: %s", request.url.path, error.code)
            return Response(status_code=API_ERROR_MAP[error.code].http_status_code)
        except Exception:  # noqa: BLE001 - whatever happens, its text stays here
            _log.exception("failed on %s", request.url.path)
            return Response(status_code=500)
        return Response(answer.SerializeToString(), media_type=PROTOBUF_MEDIA_TYPE)


_Route = tuple[Any, Callable[[Any, _StudyState], Any]]
# What a site needs, by path: the type of the request and Flower's handler of it.
_ROUTES: Mapping[str, _Route] = {
    f"/v1/fleet/{path}": route
    for path, route in {
        "activate-node": (ActivateNodeRequest, handlers.activate_node),
        "deactivate-node": (DeactivateNodeRequest, handlers.deactivate_node),
        "send-node-heartbeat": (SendNodeHeartbeatRequest, handlers.send_node_heartbeat),
        "pull-messages": (
            PullMessagesRequest,
            lambda asked, state: handlers.pull_messages(asked, state, state.object_store),
        ),
        "push-messages": (PushMessagesRequest, handlers.push_messages),
        "pull-object": (PullObjectRequest, handlers.pull_object),
        "push-object": (PushObjectRequest, handlers.push_object),
        "confirm-message-received": (
            ConfirmMessageReceivedRequest,
            lambda asked, state: handlers.confirm_message_received(
                asked, state, state.object_store
            ),
        ),
    }.items()
}


def _open_run(state: _StudyState) -> tuple[int, int]:
    run_id = state.create_run(
        f"{_OWNER}/study", "1", "none", {}, NOOP_FEDERATION_ID, None, None, TaskType.SERVER_APP
    )
    task_id = state.get_run_info(run_ids=[run_id])[0].primary_task_id
    if task_id is None or not state.claim_task(task_id) or not state.activate_task(task_id):
        raise ConnectionLost("Flower did not open the study's run.")
    TaskIdentity.run_id, TaskIdentity.task_id = run_id, task_id
    TaskIdentity.node_id = SUPERLINK_NODE_ID
    return run_id, task_id
