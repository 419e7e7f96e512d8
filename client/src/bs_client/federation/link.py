"""A site's end of Flower's Fleet API: the one module here that uses Flower's internals.

Outgoing HTTPS only. Flower's own connection helper is not used: on a failed connection it ends the
process, and a site has to live until its study is over. Written for flwr 1.41.
"""

from __future__ import annotations

import datetime
import logging
import random
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from cryptography.hazmat.primitives.asymmetric import ec
from flwr.app import Error, Message
from flwr.app.message import remove_content_from_message
from flwr.common.constant import HEARTBEAT_DEFAULT_INTERVAL, TIMESTAMP_HEADER
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
from flwr.supercore.constant import FLEET_HTTP_PUBLIC_KEY_HEADER, FLEET_HTTP_SIGNATURE_HEADER
from flwr.supercore.date import now
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
from flwr.supercore.interceptors.http.utils import add_headers
from flwr.supercore.primitives.asymmetric import public_key_to_bytes, sign_message
from flwr.supercore.protobuf.client import ProtobufCall, ProtobufRequestContext
from flwr.supercore.task_identity import TaskIdentity
from flwr.supernode.fleet_http_client import FleetHttpClient

from bs_client.federation.activity import Activity
from bs_client.federation.bounded_http import MessageTooLarge, bound
from bs_client.federation.desk import Desk, Handler
from bs_client.federation.failures import explain, explain_refusal
from bs_client.federation.transport import Coordinator, open_client, pinned_context
from bs_common.errors import (
    BoneScanError,
    ConfigError,
    ConnectionLost,
    ContractError,
    TrustError,
)
from bs_common.flower_objects import hash_once, inflate_message

_log = logging.getLogger(__name__)

_HEARTBEAT_S, _HEARTBEATS_MISSED = 10.0, 3
_PULL_TIMEOUT_S = 600.0
# Polling: quick while a round is likely, slower the longer nothing was asked.
_POLL_MIN_S, _POLL_MAX_S, _POLL_QUICK_FOR_S, _POLL_GROWTH = 0.04, 1.0, 10.0, 1.2
_LINGER_S = 0.5  # the coordinator takes a whole reply within hundredths of a second
_RETRY_MIN_S, _RETRY_MAX_S = 0.5, 60.0
_NOT_ACCEPTED = (401, 403, 412)  # not enrolled or a clock that is off; revoked; Flower's own word
_NOT_TAKEN_IN = 1  # Flower wants a number with an error; the reason says which
TOO_LARGE = "too_large"
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
        with _readable():
            pulled = self._client.PullMessages(PullMessagesRequest(node=self._node))
            if not pulled.messages_list:
                return None
            header = message_from_proto(pulled.messages_list[0])
            tree = pulled.message_object_trees[0]
        run_id = header.metadata.run_id
        TaskIdentity.run_id, TaskIdentity.task_id = run_id, 1
        return self._pulled(header, tree, run_id)

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
        self._replied = time.monotonic()

    def _pulled(self, header: Message, tree: ObjectTree, run_id: int) -> Message:
        """Give the whole message, or its head with an error where it is not one or too large."""
        try:
            with _readable():
                return self._pull(header, tree, run_id)
        except (ContractError, MessageTooLarge) as error:
            _log.error("a message was not taken in: %s", error)
            reason = error.reason if isinstance(error, ContractError) else TOO_LARGE
            header.__dict__["_content"] = None  # Flower's head of a message has an empty content
            header.error = Error(_NOT_TAKEN_IN, reason)
            return header

    def _pull(self, header: Message, tree: ObjectTree, run_id: int) -> Message:
        object_ids = [node.object_id for node in iterate_object_tree(tree)]
        contents = pull_objects(
            object_ids,
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
    """Give Flower's client with this product's own HTTPS under it, whose reading is bounded."""
    own = open_client(coordinator)
    bound(own, coordinator.limits)
    # Flower's check of versions is left out: at a word of the server it ends the process.
    client = FleetHttpClient(
        coordinator.url, interceptors=[_Signer(key)], verify=pinned_context(coordinator)
    )
    # Flower's takes the proxy from the environment alone, follows redirects and reads any length.
    client._client.close()
    client._client = own
    return client


class _Signer:
    """Signs each request with a time of its own, for the coordinator hears a signature once.

    Flower's interceptor signs the time now, and two threads can ask within one microsecond.
    """

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key
        self._public = b64encode(public_key_to_bytes(key.public_key())).decode("ascii")
        self._lock = threading.Lock()
        self._last = now()

    def intercept(self, context: ProtobufRequestContext, call_next: ProtobufCall) -> httpx.Response:
        """Add the key, the time and its signature."""
        timestamp = self._next_time().isoformat()
        signature = sign_message(self._key, timestamp.encode("ascii"))
        add_headers(
            context.request,
            {
                FLEET_HTTP_PUBLIC_KEY_HEADER: self._public,
                TIMESTAMP_HEADER: timestamp,
                FLEET_HTTP_SIGNATURE_HEADER: b64encode(signature).decode("ascii"),
            },
        )
        return call_next(context)

    def _next_time(self) -> datetime.datetime:
        with self._lock:
            following = self._last + datetime.timedelta(microseconds=1)
            # A clock that was set back is followed; a time that was signed is not signed again.
            stepped_back = self._last - now() > datetime.timedelta(seconds=1)
            self._last = now() if stepped_back else max(now(), following)
            return self._last


@contextmanager
def _readable() -> Iterator[None]:
    """Take what the coordinator sent and nobody can read for a lost connection."""
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ConnectionLost(
            f"the coordinator sent something that cannot be read ({type(error).__name__})"
        ) from error


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
    if isinstance(error, BoneScanError):  # its text is this program's own
        return f"{str(error).rstrip('.')}. {error.remedy}" if error.remedy else str(error)
    return type(error).__name__
