"""A site's end of Flower's Fleet API: the one module here that uses Flower's internals.

Outgoing HTTPS only. Flower's own connection helper is not used: on a failed connection it ends the
process, and a site has to live until its study is over. Written for flwr 1.41.
"""

from __future__ import annotations

import datetime
import logging
import threading
import time
from collections.abc import Callable

import httpx
from cryptography.hazmat.primitives.asymmetric import ec
from flwr.app import Error, Message
from flwr.app.message import make_message, remove_content_from_message
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

from bs_client.federation.failures import explain, explain_refusal
from bs_client.federation.gate import TOO_LARGE
from bs_client.federation.transport import (
    AnswerTooLarge,
    Coordinator,
    open_client,
    pinned_context,
)
from bs_common.errors import BoneScanError, ConfigError, ConnectionLost, ContractError
from bs_common.flower_objects import hash_once, inflate_message

_log = logging.getLogger(__name__)

_HEARTBEAT_S = 10.0
_PULL_TIMEOUT_S = 600.0
# Polling: quick while a round is likely, slower the longer nothing was asked.
_POLL_MIN_S, _POLL_MAX_S, _POLL_QUICK_FOR_S, _POLL_GROWTH = 0.04, 1.0, 10.0, 1.2
_LINGER_S = 0.5  # the coordinator takes a whole reply within hundredths of a second
_RETRY_MIN_S, _RETRY_MAX_S = 0.5, 60.0
_NOT_ACCEPTED = (401, 403, 412)  # a signature that does not fit; a key that Flower does not know
_MAX_OBJECTS = 10_000  # of one message; the whole network has about a hundred

MAX_MESSAGE_BYTES = 512 * 2**20  # whatever the study; a message is held in memory

Handler = Callable[[Message], Message]


def work_until(
    done: threading.Event,
    coordinator: Coordinator,
    key: ec.EllipticCurvePrivateKey,
    handle: Handler,
    *,
    max_bytes: int = MAX_MESSAGE_BYTES,
) -> None:
    """Answer the coordinator's messages until `done` is set; reconnect after every failure.

    A message of more than `max_bytes` is not kept: `handle` is given an error in its place.

    Waits between attempts grow from half a second to a minute; a key that is not enrolled yet is
    waited for too. Raises TrustError if the coordinator's certificate is not the pinned
    authority's.
    """
    wait_s = _RETRY_MIN_S
    while not done.is_set():
        try:
            with _Connection(coordinator, key, max_bytes) as connection:
                wait_s = _RETRY_MIN_S
                connection.answer_until(done, handle)
        except (
            ConnectionLost,
            ContractError,
            httpx.HTTPError,
            ObjectPullError,
            ObjectPushError,
        ) as error:
            if done.is_set():
                return
            _log.warning("no connection (%s); trying again in %.1f s", _why(error), wait_s)
            done.wait(wait_s)
            wait_s = min(2 * wait_s, _RETRY_MAX_S)


class _Connection:
    """One connection: activated on entry, kept alive by heartbeats, deactivated on exit."""

    def __init__(
        self, coordinator: Coordinator, key: ec.EllipticCurvePrivateKey, max_bytes: int
    ) -> None:
        self._max_bytes = max_bytes
        self._coordinator = coordinator
        self._client = _client(coordinator, key)
        self._public_key = public_key_to_bytes(key.public_key())
        self._closed = threading.Event()
        self._replied = -_LINGER_S  # when the last reply was sent, on the monotonic clock
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
            raise _explained(error, self._coordinator) from error
        self._node = Node(node_id=response.node_id)
        TaskIdentity.node_id = response.node_id
        self._heart = threading.Thread(target=self._beat, name="fleet-heartbeat", daemon=True)
        self._heart.start()
        return self

    def __exit__(self, *_: object) -> None:
        # Flower's state gives a node that has left as the answer, even where its reply is there.
        time.sleep(max(0.0, self._replied + _LINGER_S - time.monotonic()))
        self._closed.set()
        self._heart.join(timeout=_HEARTBEAT_S)
        try:
            self._client.DeactivateNode(DeactivateNodeRequest(node_id=self._node.node_id))
        except (httpx.HTTPError, RuntimeError):
            _log.debug("the coordinator did not hear that this site left")
        self._client.close()

    def answer_until(self, done: threading.Event, handle: Handler) -> None:
        """Pull, handle and answer messages one after another."""
        poll_s, last_work = _POLL_MIN_S, time.monotonic()
        while not done.is_set():
            if self._lost is not None:
                raise ConnectionLost(f"heartbeats fail: {_why(self._lost)}")
            pulled = self._client.PullMessages(PullMessagesRequest(node=self._node))
            if pulled.messages_list:
                header = message_from_proto(pulled.messages_list[0])
                self._answer(header, pulled.message_object_trees[0], handle)
                poll_s, last_work = _POLL_MIN_S, time.monotonic()
                continue
            if time.monotonic() - last_work > _POLL_QUICK_FOR_S:
                poll_s = min(poll_s * _POLL_GROWTH, _POLL_MAX_S)
            done.wait(poll_s)

    def _answer(self, header: Message, tree: ObjectTree, handle: Handler) -> None:
        run_id = header.metadata.run_id
        TaskIdentity.run_id, TaskIdentity.task_id = run_id, 1
        try:
            message = self._pull(header, tree, run_id)
        except (_TooLargeError, AnswerTooLarge):
            # Refused and recorded at the gate as any other, though nothing of it was kept.
            message = make_message(header.metadata, error=Error(1, TOO_LARGE))
        reply = handle(message)
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
        self._replied = time.monotonic()

    def _pull(self, header: Message, tree: ObjectTree, run_id: int) -> Message:
        object_ids = [node.object_id for node in iterate_object_tree(tree)]
        if len(object_ids) > _MAX_OBJECTS:
            raise _TooLargeError
        contents = pull_objects(
            object_ids,
            pull_object_fn=_bounded(
                make_pull_object_fn_protobuf(self._client.PullObject, self._node, run_id),
                self._max_bytes,
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
        while not self._closed.wait(_HEARTBEAT_S):
            try:
                answer = self._client.SendNodeHeartbeat(
                    SendNodeHeartbeatRequest(
                        node=self._node, heartbeat_interval=HEARTBEAT_DEFAULT_INTERVAL
                    )
                )
            except (httpx.HTTPError, ValueError, RuntimeError) as error:
                self._lost = error
                continue
            self._lost = None if answer.success else ConnectionLost("not known any more")


class _TooLargeError(Exception):
    """A message is larger than any that the study needs."""


def _bounded(pull: Callable[[str], bytes], max_bytes: int) -> Callable[[str], bytes]:
    """Let the objects of one message through until they are too large together."""
    left = max_bytes

    def pull_within(object_id: str) -> bytes:
        nonlocal left
        content = pull(object_id)
        left -= len(content)
        if left < 0:
            raise _TooLargeError
        return content

    return pull_within


def _client(coordinator: Coordinator, key: ec.EllipticCurvePrivateKey) -> FleetHttpClient:
    """Give Flower's client with this product's own HTTPS under it."""
    own = open_client(coordinator)
    client = FleetHttpClient(
        coordinator.url,
        interceptors=[
            NodeAuthHttpInterceptor(key, key.public_key()),
        ],
        verify=pinned_context(coordinator),
    )
    # Flower's takes the proxy from the environment alone, follows redirects and reads any length.
    client._client.close()
    client._client = own
    return client


def _without_content(message: Message) -> Message:
    return remove_content_from_message(message) if message.has_content() else message


def _explained(error: httpx.HTTPError, coordinator: Coordinator) -> BoneScanError:
    """Tell failures that waiting cannot mend (trust, settings) from those that it can."""
    if not isinstance(error, httpx.HTTPStatusError):
        told = explain(error, coordinator)
        # A proxy that refuses today may not tomorrow; a site outlives that.
        mendable = isinstance(told, ConfigError)
        return ConnectionLost(str(told), remedy=told.remedy) if mendable else told
    if error.response.status_code in _NOT_ACCEPTED:
        return explain_refusal(error.response, now=_now())
    return ConnectionLost(_why(error))


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def _why(error: BaseException) -> str:
    if isinstance(error, httpx.HTTPStatusError):
        return f"HTTP status {error.response.status_code}"
    if isinstance(error, ConnectionLost):
        return f"{str(error).rstrip('.')}. {error.remedy}" if error.remedy else str(error)
    return type(error).__name__
