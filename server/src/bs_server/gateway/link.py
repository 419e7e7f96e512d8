"""The coordinator's end of Flower's Fleet API: the one module here that uses Flower's internals.

It serves the Fleet routes, and nothing else, over HTTPS in a thread of this process, admits only
enrolled keys, and hands messages over by site name. Who gets as far as Flower is decided by
`doors`, `connection`, `guard` and `ownership`. Written for flwr 1.41; every internal name used here
was read in that release.
"""

from __future__ import annotations

import asyncio
import logging
import math
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace, TracebackType
from typing import Any, Self

from cryptography.hazmat.primitives.asymmetric import ec
from fastapi import HTTPException
from flwr.app import Error, Message, RecordDict
from flwr.app.message import remove_content_from_message
from flwr.common.constant import SUPERLINK_NODE_ID, TIMESTAMP_HEADER
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
from flwr.supercore.constant import (
    FLEET_HTTP_PUBLIC_KEY_HEADER,
    FLEET_HTTP_SIGNATURE_HEADER,
    NOOP_FEDERATION_ID,
    TaskType,
)
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

from bs_common.audit import AuditLog, Passage
from bs_common.errors import ConnectionLost
from bs_common.flower_objects import hash_once, inflate_message
from bs_common.sizes import LARGEST, OVERHEAD_BYTES, MessageLimits
from bs_server.gateway.admission import Admission, Refused, SignedHeaders
from bs_server.gateway.guard import SITE
from bs_server.gateway.ownership import Ownership
from bs_server.gateway.refusals import Refusals
from bs_server.gateway.web import WebServer

_log = logging.getLogger(__name__)
logging.getLogger("flwr").setLevel(logging.ERROR)  # a line for each request otherwise
_OWNER = "bone-scan-study"
_TASK_HEARTBEAT_S = 10.0  # Flower fails a task that is silent for longer than its lease
_HEADERS = SignedHeaders(
    key=FLEET_HTTP_PUBLIC_KEY_HEADER,
    time=TIMESTAMP_HEADER,
    signature=FLEET_HTTP_SIGNATURE_HEADER,
)
_PLAIN_CALL_BYTES = 4096  # a key, a number, a digest
_TREE_NODE_BYTES = 128  # a digest in hex and its framing, twice over
_REVOKED = 1  # Flower wants a number with an error; the reason says which
REVOKED = "revoked"
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
    limits : the largest message of the study; nothing larger is read from a site.
    audit : keeps a line of every message and every refusal; a measurement may do without.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        certificate: Path,
        private_key: Path,
        sites: Mapping[str, ec.EllipticCurvePublicKey],
        limits: MessageLimits = LARGEST,
        audit: AuditLog | None = None,
    ) -> None:
        self._state = _StudyState(NoOpFederationManager(simulation=False), _WholeTreeStore())
        self._node_ids = {
            name: self._state.create_node(_OWNER, _OWNER, public_key_to_bytes(key), 0, name=name)
            for name, key in sorted(sites.items())
        }
        self._keys = dict(sites)
        self._revoked: dict[int, str] = {}
        self._audit = audit
        self._refusals = Refusals(self.record)
        self._admission = Admission(_HEADERS)
        for name, key in sites.items():
            self._admission.admit(name, public_key_to_bytes(key), key)
        self._web = WebServer(
            _FleetApi(self._state, Ownership(node_id=self._node_ids.get, limits=limits)),
            host=host,
            port=port,
            certificate=certificate,
            private_key=private_key,
            body_bytes=_body_bytes(limits),
            admission=self._admission,
            refusals=self._refusals,
        )
        self._stopping = threading.Event()

    @property
    def port(self) -> int:
        """Port that the link listens on."""
        return self._web.port

    def __enter__(self) -> Self:
        self._web.start()
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
        self._web.stop()
        self.write_refusals(all_of_them=True)

    @property
    def refused(self) -> Mapping[str, int]:
        """How many requests and connections were refused so far, by reason."""
        return dict(self._refusals.total)

    @property
    def sites(self) -> Mapping[str, ec.EllipticCurvePublicKey]:
        """Public key of every site that is admitted now, by name."""
        return dict(self._keys)

    def revoke(self, site: str) -> None:
        """End a site's access at once; what it was asked is answered by `revoked`."""
        self._admission.revoke(site)
        del self._keys[site]
        node_id = self._node_ids[site]
        self._revoked[node_id] = site
        self._state.deactivate_node(node_id)

    def reload_certificate(self) -> None:
        """Show the server certificate that is in its file now to whoever connects from now on."""
        self._web.reload_certificate()

    def write_refusals(self, *, all_of_them: bool = False) -> None:
        """Put into the audit log what was refused and is due to be written."""
        self._refusals.write(all_of_them=all_of_them)

    def record(self, passage: Passage) -> None:
        """Keep one passage in the audit log."""
        if self._audit is not None:
            self._audit.record(passage)

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
        hash_once(content)
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
        asked = self._state.find_message(ticket)
        if asked is not None and asked.metadata.dst_node_id in self._revoked:
            return Message(Error(_REVOKED, REVOKED), reply_to=asked)
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

    def find_message(self, message_id: str) -> Message | None:
        with self.lock:
            return self.message_ins_store.get(message_id)

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
        with self._store.trusting():  # what this process made needs no second look
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
        return inflate_message(reply_id, self._store.take(reply_id), verified=True)


class _WholeTreeStore(InMemoryObjectStore):
    """Flower's store with its lock held over a whole tree.

    The original takes the lock per object, so that a `delete` in between can remove an object
    that two messages share before the second has counted it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._own = threading.local()

    @contextmanager
    def trusting(self) -> Iterator[None]:
        """Take what this thread puts as it is; other threads' objects are verified as ever."""
        self._own.trusted = True
        try:
            yield
        finally:
            self._own.trusted = False

    def put(self, object_id: str, object_content: bytes) -> None:
        # Another site has sent the same bytes, and their message was taken, before this push.
        with suppress(NoObjectInStoreError):
            if not getattr(self._own, "trusted", False):
                super().put(object_id, object_content)
                return
            with self.lock_store:
                entry = self.store[object_id]
                entry.content, entry.is_available = object_content, True

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


class _FleetApi:
    """The Fleet API as one plain ASGI application; nothing but the paths in `_ROUTES` exists.

    Flower builds the same from FastAPI and three middlewares, which cost more than the work of
    most requests. Parsing, authentication and handlers are Flower's own. Whatever goes wrong is a
    bare status to the site, and is counted.
    """

    def __init__(self, state: _StudyState, ownership: Ownership) -> None:
        self._state = state
        self._ownership = ownership
        self._app = SimpleNamespace(
            state=SimpleNamespace(linkstate_factory=SimpleNamespace(state=lambda: state))
        )
        self._workers = ThreadPoolExecutor(_WORKERS, thread_name_prefix="fleet-worker")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one admitted request, or raise Refused."""
        site = scope["state"][SITE]
        request = Request({**scope, "app": self._app, "state": {}}, receive)
        body = (await receive())["body"]  # the guard has read it whole
        response = await asyncio.get_running_loop().run_in_executor(
            self._workers, self._answer, site, request, body
        )
        await response(scope, receive, send)

    def _answer(self, site: str, request: Request, body: bytes) -> Response:
        kind, handler = _ROUTES[request.url.path]
        try:
            asked = kind.FromString(body)
            request.state.protobuf_request = asked
            authenticate_node(request)
            self._ownership.check(site, asked)
            answer = handler(asked, self._state)
            self._ownership.note(site, answer)
        except Refused:
            raise
        except DecodeError as error:
            raise Refused(400, "unreadable", site) from error
        except HTTPException as error:
            raise Refused(error.status_code, "not_this_site", site) from error
        except FlowerError as error:
            _log.info("refused %s: %s", request.url.path, error.code)
            status = API_ERROR_MAP[error.code].http_status_code
            raise Refused(status, f"flower_{int(error.code)}", site) from error
        except Exception as error:
            _log.exception("failed on %s", request.url.path)
            raise Refused(500, "internal", site) from error
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


def _body_bytes(limits: MessageLimits) -> dict[str, int]:
    """Give the largest body of each call that a site makes."""
    calls = dict.fromkeys(_ROUTES, _PLAIN_CALL_BYTES)
    calls["/v1/fleet/push-messages"] = OVERHEAD_BYTES + _TREE_NODE_BYTES * limits.objects
    calls["/v1/fleet/push-object"] = limits.object_bytes
    return calls


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
