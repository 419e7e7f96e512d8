"""The coordinator's end of Flower's Fleet API: the one module here that uses Flower's internals.

It serves the Fleet routes, and nothing else, over HTTPS in a thread of this process, admits only
enrolled keys, and hands messages over by site name. Written for flwr 1.41; every internal name
used here was read in that release.
"""

from __future__ import annotations

import logging
import math
import socket
import threading
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace, TracebackType
from typing import Any, Self

import uvicorn
from cryptography.hazmat.primitives.asymmetric import ec
from fastapi import FastAPI
from flwr.app import Message, RecordDict
from flwr.common.constant import SUPERLINK_NODE_ID, TRANSPORT_TYPE_GRPC_RERE
from flwr.proto.message_pb2 import ObjectTree
from flwr.proto.task_pb2 import Task
from flwr.server.superlink.linkstate.in_memory_linkstate import InMemoryLinkState
from flwr.supercore.constant import NOOP_FEDERATION_ID, TaskType
from flwr.supercore.error import http_error_translator
from flwr.supercore.inflatable.inflatable_object import iterate_object_tree
from flwr.supercore.object_store.in_memory_object_store import InMemoryObjectStore
from flwr.supercore.primitives.asymmetric import public_key_to_bytes
from flwr.supercore.protobuf.translation import ProtobufTranslationMiddleware
from flwr.supercore.task_identity import TaskIdentity
from flwr.superlink.federation import NoOpFederationManager
from flwr.superlink.grid.http_grid import HttpGrid
from flwr.superlink.routers.fleet.node_auth import NodeAuthMiddleware
from flwr.superlink.routers.fleet.router import router as fleet_router
from flwr.superlink.servicer.runtime import runtime_handlers
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware

from bs_common.errors import ConfigError, ConnectionLost

_OWNER = "bone-scan-study"
_TASK_HEARTBEAT_S = 10.0  # Flower fails a task that is silent for longer than its lease
_START_TIMEOUT_S = 20.0
# Flower forgets a message after 12 h unless told otherwise, and with it the reply of a site that
# trained for longer. How long a reply is waited for is decided by those who ask.
_MESSAGE_TTL_S = 400 * 24 * 3600.0


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
        self._grid = _grid(self._state, self._run_id, task_id)
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
        message = Message(
            content, self._node_ids[site], message_type, group_id=group, ttl=_MESSAGE_TTL_S
        )
        (ticket,) = self._grid.push_messages([message])
        if not ticket:
            raise ConnectionLost(f"The message for {site} could not be queued.")
        return str(ticket)

    def receive(self, ticket: str) -> Message | None:
        """Give the reply to a sent message once all of it has arrived, without waiting."""
        if not self._state.reply_is_complete(ticket):
            return None
        replies = list(self._grid.pull_messages([ticket]))
        return replies[0] if replies else None

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

    def reply_is_complete(self, message_id: str) -> bool:
        with self.lock:
            reply_id = self.message_ins_id_to_message_res_id.get(message_id)
        return reply_id is not None and self._store.holds_whole_tree(reply_id)


class _WholeTreeStore(InMemoryObjectStore):
    """Flower's store with its lock held over a whole tree.

    The original takes the lock per object, so that a `delete` in between can remove an object
    that two messages share before the second has counted it.
    """

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


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), backlog=128)
    except OSError as error:
        raise ConfigError(
            f"Cannot listen on {host}:{port} ({error.strerror}).",
            remedy="Choose another address or port under [server] in study.toml.",
        ) from error


def _web_server(state: _StudyState, certificate: Path, private_key: Path) -> uvicorn.Server:
    app = FastAPI(
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        middleware=[
            Middleware(BaseHTTPMiddleware, dispatch=http_error_translator),
            Middleware(ProtobufTranslationMiddleware),
            Middleware(NodeAuthMiddleware),
        ],
    )
    app.state.linkstate_factory = SimpleNamespace(state=lambda: state)
    app.state.enable_supernode_auth = True
    app.state.fleet_api_type = TRANSPORT_TYPE_GRPC_RERE
    app.include_router(fleet_router)
    logging.getLogger("flwr").setLevel(logging.ERROR)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            ssl_certfile=str(certificate),
            ssl_keyfile=str(private_key),
            log_level="error",
            server_header=False,
            timeout_keep_alive=120,
        )
    )
    # Signals belong to the command, not to a thread of it.
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    return server


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


def _grid(state: _StudyState, run_id: int, task_id: int) -> HttpGrid:
    grid = _DirectGrid("unused", insecure=True, token="unused")  # noqa: S106 - no network behind it
    grid.runtime = _DirectRuntime(state, Task(run_id=run_id, task_id=task_id))
    grid.set_run(state.get_run_info(run_ids=[run_id])[0])
    return grid


class _DirectGrid(HttpGrid):
    """Flower's grid, answered by calls in this process instead of HTTP."""

    runtime: _DirectRuntime

    @property
    def _is_connected(self) -> bool:
        return True

    @property
    def _runtime_client(self) -> Any:
        return self.runtime

    def _disconnect(self) -> None:
        """Nothing to close."""


class _DirectRuntime:
    """Flower's Runtime API as functions: the grid's requests go straight to their handlers."""

    def __init__(self, state: _StudyState, task: Task) -> None:
        self._state = state
        self._task = task

    def PushMessages(self, request: Any) -> Any:  # noqa: N802 - Flower's names
        return runtime_handlers.push_messages(request, self._state, self._task)

    def PullMessages(self, request: Any) -> Any:  # noqa: N802
        return runtime_handlers.pull_messages(request, self._state, self._task)

    def PushObject(self, request: Any) -> Any:  # noqa: N802
        return runtime_handlers.push_object(request, self._state, self._task)

    def PullObject(self, request: Any) -> Any:  # noqa: N802
        return runtime_handlers.pull_object(request, self._state, self._task)

    def ConfirmMessageReceived(self, request: Any) -> Any:  # noqa: N802
        return runtime_handlers.confirm_message_received(request, self._state, self._task)
