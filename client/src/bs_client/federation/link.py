"""A site's end of Flower's Fleet API: the one module here that uses Flower's internals.

Outgoing HTTPS only. Flower's own connection helper is not used: on a failed connection it ends the
process, and a site has to live until its study is over. Written for flwr 1.41.
"""

from __future__ import annotations

import logging
import random
import ssl
import threading
import time
from dataclasses import dataclass

import httpx
from cryptography.hazmat.primitives.asymmetric import ec
from flwr.app import Message
from flwr.app.message import remove_content_from_message
from flwr.common.constant import HEARTBEAT_DEFAULT_INTERVAL
from flwr.common.serde import message_from_proto, message_to_proto
from flwr.proto.fleet_pb2 import (
    ActivateNodeRequest,
    DeactivateNodeRequest,
    PullMessagesRequest,
    PushMessagesRequest,
)
from flwr.proto.heartbeat_pb2 import SendNodeHeartbeatRequest
from flwr.proto.message_pb2 import ObjectTree
from flwr.proto.node_pb2 import Node
from flwr.supercore.inflatable.inflatable_object import (
    get_all_nested_objects,
    get_object_tree,
    iterate_object_tree,
    no_object_id_recompute,
)
from flwr.supercore.inflatable.inflatable_protobuf_utils import (
    make_confirm_message_received_fn_protobuf,
    make_pull_object_fn_protobuf,
    make_push_object_fn_protobuf,
)
from flwr.supercore.inflatable.inflatable_utils import (
    ObjectPullError,
    ObjectPushError,
    pull_objects,
    push_objects,
)
from flwr.supercore.primitives.asymmetric import public_key_to_bytes
from flwr.supercore.task_identity import TaskIdentity
from flwr.supernode.fleet_http_client import FleetHttpClient
from flwr.supernode.node_auth_http_interceptor import NodeAuthHttpInterceptor

from bs_client.federation.activity import Activity
from bs_client.federation.desk import Desk, Handler
from bs_common.errors import ConnectionLost, ContractError, TrustError
from bs_common.flower_objects import hash_once, inflate_message

_log = logging.getLogger(__name__)

_HEARTBEAT_S, _HEARTBEATS_MISSED = 10.0, 3
_PULL_TIMEOUT_S = 600.0
# Polling: quick while a round is likely, slower the longer nothing was asked.
_POLL_MIN_S, _POLL_MAX_S, _POLL_QUICK_FOR_S, _POLL_GROWTH = 0.04, 1.0, 10.0, 1.2
_RETRY_MIN_S, _RETRY_MAX_S = 0.5, 60.0
_JITTER = 0.25  # of a wait, so that fifty sites do not come back in the same moment
# What a network in trouble, or somebody else behind the coordinator's address, looks like here.
# ValueError: an answer that is not what Flower's client can read.
_LOST = (
    ConnectionLost,
    ContractError,
    TrustError,
    httpx.HTTPError,
    ObjectPullError,
    ObjectPushError,
    ValueError,
)
_NOT_ACCEPTED = (401, 412)  # a signature that does not fit; a key that Flower does not know


@dataclass(frozen=True, slots=True)
class Coordinator:
    """Where the coordinator is, and the only certificate authority that may vouch for it.

    address : ``host:port``.
    ca_certificate : PEM text.
    """

    address: str
    ca_certificate: str


def work_until(
    done: threading.Event,
    coordinator: Coordinator,
    key: ec.EllipticCurvePrivateKey,
    handle: Handler,
    *,
    quick: frozenset[str] = frozenset(),
    activity: Activity | None = None,
) -> None:
    """Answer the coordinator's messages until `done` is set; reconnect after every failure.

    Waits between attempts grow from half a second to a minute; a key that is not enrolled yet is
    waited for too. A connection that is lost does not end the work in hand.

    Parameters
    ----------
    quick, activity : as for `Desk`.

    Raises
    ------
    TrustError if the coordinator's certificate is not the pinned authority's. Once the right
    coordinator was there, this is waited out like an absent one: a network that puts itself
    between for an hour, as sign-in pages do, gets nothing and ends nothing.
    """
    wait_s, was_there = _RETRY_MIN_S, False
    activity = activity or Activity(done)
    with Desk(handle, quick=quick, activity=activity) as desk:
        while not done.is_set():
            try:
                with _Connection(coordinator, key) as connection:
                    wait_s, was_there = _RETRY_MIN_S, True
                    activity.connected = True
                    connection.answer_until(done, desk)
            except _LOST as error:
                activity.connected = False
                if isinstance(error, TrustError) and not was_there:
                    raise
                if done.is_set():
                    return
                pause_s = wait_s * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - no secret
                _log.warning("no connection (%s); trying again in %.1f s", _why(error), pause_s)
                done.wait(pause_s)
                wait_s = min(2 * wait_s, _RETRY_MAX_S)


class _Connection:
    """One connection: activated on entry, kept alive by heartbeats, deactivated on exit."""

    def __init__(self, coordinator: Coordinator, key: ec.EllipticCurvePrivateKey) -> None:
        self._client = _client(coordinator, key)
        self._public_key = public_key_to_bytes(key.public_key())
        self._closed = threading.Event()
        self._lost: Exception | None = None

    def __enter__(self) -> _Connection:
        try:
            response = self._client.ActivateNode(
                ActivateNodeRequest(
                    public_key=self._public_key, heartbeat_interval=HEARTBEAT_DEFAULT_INTERVAL
                )
            )
        except httpx.HTTPError as error:
            self._client.close()
            raise _explained(error) from error
        self._node = Node(node_id=response.node_id)
        TaskIdentity.node_id = response.node_id
        self._heart = threading.Thread(target=self._beat, name="fleet-heartbeat", daemon=True)
        self._heart.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._heart.join(timeout=_HEARTBEAT_S)
        try:
            self._client.DeactivateNode(DeactivateNodeRequest(node_id=self._node.node_id))
        except (httpx.HTTPError, RuntimeError):
            _log.debug("the coordinator did not hear that this site left")
        self._client.close()

    def answer_until(self, done: threading.Event, desk: Desk) -> None:
        """Pull requests, hand them to the desk, and push its replies as they get ready."""
        desk.connected_anew()
        poll_s, last_work = _POLL_MIN_S, time.monotonic()
        while not done.is_set():
            if self._lost is not None:
                raise ConnectionLost(f"heartbeats fail: {_why(self._lost)}")
            message = self._pull_next()
            reply = desk.take(message) if message is not None else None
            if reply is None:
                reply = desk.reply(poll_s)
            if reply is not None:
                self._push(reply)
            if message is not None or reply is not None:
                poll_s, last_work = _POLL_MIN_S, time.monotonic()
            elif time.monotonic() - last_work > _POLL_QUICK_FOR_S:
                poll_s = min(poll_s * _POLL_GROWTH, _POLL_MAX_S)

    def _pull_next(self) -> Message | None:
        pulled = self._client.PullMessages(PullMessagesRequest(node=self._node))
        if not pulled.messages_list:
            return None
        header = message_from_proto(pulled.messages_list[0])
        run_id = header.metadata.run_id
        TaskIdentity.run_id, TaskIdentity.task_id = run_id, 1
        return self._pull(header, pulled.message_object_trees[0], run_id)

    def _push(self, reply: Message) -> None:
        run_id = reply.metadata.run_id
        if reply.has_content():
            hash_once(reply.content)
        with no_object_id_recompute():
            reply.metadata.__dict__["_message_id"] = reply.object_id
            objects = get_all_nested_objects(reply)
            pushed = self._client.PushMessages(
                PushMessagesRequest(
                    node=self._node,
                    messages_list=[message_to_proto(_without_content(reply))],
                    message_object_trees=[get_object_tree(reply)],
                    clientapp_runtime_list=[0.0],
                )
            )
            push_objects(
                objects,
                push_object_fn=make_push_object_fn_protobuf(
                    self._client.PushObject, self._node, run_id, pushed.session_id
                ),
                object_ids_to_push=set(pushed.objects_to_push),
            )

    def _pull(self, header: Message, tree: ObjectTree, run_id: int) -> Message:
        contents = pull_objects(
            [node.object_id for node in iterate_object_tree(tree)],
            pull_object_fn=make_pull_object_fn_protobuf(
                self._client.PullObject, self._node, run_id
            ),
            initial_backoff=0.02,
            backoff_cap=0.2,
            max_time=_PULL_TIMEOUT_S,
        )
        message_id = header.metadata.message_id
        make_confirm_message_received_fn_protobuf(
            self._client.ConfirmMessageReceived, self._node, run_id
        )(message_id)
        return inflate_message(message_id, contents)

    def _beat(self) -> None:
        failures = 0
        while not self._closed.wait(_HEARTBEAT_S):
            try:
                answer = self._client.SendNodeHeartbeat(
                    SendNodeHeartbeatRequest(
                        node=self._node, heartbeat_interval=HEARTBEAT_DEFAULT_INTERVAL
                    )
                )
            except (httpx.HTTPError, ValueError, RuntimeError) as error:
                failures += 1
                # The lease outlives five; connecting anew makes the coordinator ask anew.
                self._lost = error if failures >= _HEARTBEATS_MISSED else None
                continue
            failures = 0
            self._lost = None if answer.success else ConnectionLost("not known any more")


def _client(coordinator: Coordinator, key: ec.EllipticCurvePrivateKey) -> FleetHttpClient:
    try:
        return FleetHttpClient.from_server_address(
            coordinator.address,
            False,
            coordinator.ca_certificate.encode("ascii"),
            interceptors=[
                NodeAuthHttpInterceptor(key, key.public_key()),
            ],
        )
    except (ssl.SSLError, ValueError) as error:
        raise TrustError(
            "The invitation holds no readable certificate of the coordinator's authority.",
            remedy="Ask the coordinator for the invitation again, then join again.",
        ) from error


def _without_content(message: Message) -> Message:
    return remove_content_from_message(message) if message.has_content() else message


def _explained(error: httpx.HTTPError) -> Exception:
    """Tell failures that waiting cannot mend (trust) from those that it can (network)."""
    if isinstance(error, httpx.HTTPStatusError) and error.response.status_code in _NOT_ACCEPTED:
        return ConnectionLost(
            "the coordinator does not accept this site's key",
            remedy="Ask the coordinator to enrol this site, and compare both clocks: more than "
            "5 s ahead or 5 min behind is refused.",
        )
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return TrustError(
                f"The coordinator's certificate is not accepted ({cause.verify_message}).",
                remedy="Compare the invitation with the coordinator; do not continue otherwise.",
            )
        cause = cause.__cause__ or cause.__context__
    return ConnectionLost(_why(error))


def _why(error: BaseException) -> str:
    if isinstance(error, httpx.HTTPStatusError):
        return f"HTTP status {error.response.status_code}"
    if isinstance(error, ConnectionLost):
        return f"{error}. {error.remedy}" if error.remedy else str(error)
    return type(error).__name__
