"""A site's part in a study, from connecting to the coordinator's goodbye."""

from __future__ import annotations

import datetime
import logging
import threading

from flwr.app import Context, Message, RecordDict
from flwr.clientapp import ClientApp

from bs_client.config import SiteFolder
from bs_client.federation.answers import Answers, RecordedWork
from bs_client.federation.app import Work, make_app
from bs_client.federation.door_log import DoorLog
from bs_client.federation.gate import Gate
from bs_client.federation.link import Coordinator, work_until
from bs_common.contract import MessageType
from bs_common.keys import read_private_key

_log = logging.getLogger(__name__)

# Answered beside the work in hand, within milliseconds.
_QUICK = frozenset({MessageType.DESCRIBE, MessageType.PROGRESS, MessageType.FINISH})


def take_part(folder: SiteFolder, work: Work, stop: threading.Event) -> bool:
    """Work for the study until the coordinator ends it (True) or `stop` is set (False).

    `stop` is set as well when the study is over.
    """
    invitation = folder.read_invitation()
    finished = threading.Event()
    gate = Gate(
        settings=invitation.settings,
        role=invitation.role,
        min_cell=folder.read().policy.min_cell,
        audit=DoorLog(folder.audit, _now),
    )
    answers = Answers(folder.answers, invitation.settings, work.data_sha256)
    app = make_app(RecordedWork(work, answers), gate, finished)
    coordinator = Coordinator(invitation.address, invitation.ca_certificate)

    def handle(message: Message) -> Message:
        reply = _call(app, message)
        if finished.is_set():
            stop.set()
        return reply

    work_until(
        stop,
        coordinator,
        read_private_key(folder.key),
        handle,
        quick=_QUICK,
        activity=work.activity,
    )
    return finished.is_set()


def _call(app: ClientApp, message: Message) -> Message:
    if message.metadata.message_type != MessageType.PROGRESS:
        _log.info("asked: %s, round %s", message.metadata.message_type, message.metadata.group_id)
    context = Context(message.metadata.run_id, message.metadata.dst_node_id, {}, RecordDict(), {})
    return app(message, context)


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
