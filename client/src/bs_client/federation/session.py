"""A site's part in a study, from connecting to the coordinator's goodbye."""

from __future__ import annotations

import datetime
import logging
import threading

from flwr.app import Context, Message, RecordDict
from flwr.clientapp import ClientApp

from bs_client.config import SiteFolder
from bs_client.federation.app import Work, make_app
from bs_client.federation.gate import Gate
from bs_client.federation.link import Coordinator, work_until
from bs_common.audit import AuditLog
from bs_common.certificates import days_left, describe_end
from bs_common.files import check_private
from bs_common.keys import read_private_key
from bs_common.sizes import message_limits

_log = logging.getLogger(__name__)


def take_part(folder: SiteFolder, work: Work, stop: threading.Event) -> bool:
    """Work for the study until the coordinator ends it (True) or `stop` is set (False).

    `stop` is set as well when the study is over.
    """
    check_private(folder.path, folder.key.name)
    invitation = folder.read_invitation()
    _warn_of_the_end(invitation.ca_certificate)
    finished = threading.Event()
    gate = Gate(
        settings=invitation.settings,
        role=invitation.role,
        min_cell=folder.read().policy.min_cell,
        audit=AuditLog(folder.audit, _now),
    )
    app = make_app(work, gate, finished)
    coordinator = Coordinator(
        invitation.address, invitation.ca_certificate, message_limits(invitation.settings)
    )

    def handle(message: Message) -> Message:
        reply = _call(app, message)
        if finished.is_set():
            stop.set()
        return reply

    work_until(stop, coordinator, read_private_key(folder.key), handle)
    return finished.is_set()


def _warn_of_the_end(ca_certificate: str) -> None:
    end = describe_end("The study's certificate authority", days_left(ca_certificate, _now()))
    if end is not None:
        _log.warning("%s. Ask the coordinator for a new invitation, then join again.", end)


def _call(app: ClientApp, message: Message) -> Message:
    _log.info("asked: %s, round %s", message.metadata.message_type, message.metadata.group_id)
    context = Context(message.metadata.run_id, message.metadata.dst_node_id, {}, RecordDict(), {})
    return app(message, context)


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
