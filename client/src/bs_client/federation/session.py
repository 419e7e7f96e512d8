"""A site's part in a study, from connecting to the coordinator's goodbye."""

from __future__ import annotations

import datetime
import logging
import threading
from collections.abc import Callable

from flwr.app import Context, Message, RecordDict
from flwr.clientapp import ClientApp

from bs_client.config import Policy, SiteFolder
from bs_client.federation.answers import Answers, RecordedWork
from bs_client.federation.app import Work, make_app
from bs_client.federation.asked import Asked
from bs_client.federation.gate import Gate
from bs_client.federation.join import read_approved
from bs_client.federation.link import work_until
from bs_client.federation.policy import external_requests
from bs_client.federation.transport import Coordinator
from bs_common.audit import AuditLog, read_entries
from bs_common.certificates import days_left, describe_end
from bs_common.contract import MessageType
from bs_common.errors import StudyStopped
from bs_common.files import check_private
from bs_common.keys import read_private_key
from bs_common.settings import Role, StudySettings
from bs_common.sizes import message_limits

_log = logging.getLogger(__name__)
# Refusals after which nothing but a person's decision helps.
_ENDS = {
    "settings_changed": "The coordinator changed the study after it was approved here",
    "contract_version": "The coordinator speaks another version of the contract than was approved",
}
_JOIN_AGAIN = (
    "Ask the coordinator what changed, and for a new invitation; bs-client join shows the "
    "difference and asks again. If the change was a mistake: run again once it is taken back."
)

# Answered beside the work in hand, within milliseconds.
_QUICK = frozenset(
    {MessageType.DESCRIBE, MessageType.READERS, MessageType.PROGRESS, MessageType.FINISH}
)


def take_part(folder: SiteFolder, work: Work, stop: threading.Event) -> bool:
    """Work for the study until the coordinator ends it (True) or `stop` is set (False).

    `stop` is set as well when the study is over. Raises StudyStopped, after the coordinator was
    answered, if it asks for something else than was approved here.
    """
    check_private(folder.path, folder.key.name)
    invitation, approval = read_approved(folder)
    _warn_of_the_end(invitation.ca_certificate)
    file = folder.read()
    finished = threading.Event()
    ended: list[str] = []  # codes after which going on makes no sense
    app = open_app(
        folder,
        work,
        invitation.settings,
        role=invitation.role,
        policy=file.policy,
        since=approval.approved,
        finished=finished,
        refused=lambda code: ended.append(code) if code in _ENDS else None,
    )
    coordinator = Coordinator(
        invitation.address,
        invitation.ca_certificate,
        file.connection.proxy,
        message_limits(invitation.settings),
    )

    def handle(message: Message) -> Message:
        reply = _call(app, message)
        if finished.is_set() or ended:
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
    if ended:
        raise StudyStopped(f"{_ENDS[ended[0]]} ({ended[0]}).", remedy=_JOIN_AGAIN)
    return finished.is_set()


def open_app(
    folder: SiteFolder,
    work: Work,
    settings: StudySettings,
    *,
    role: Role,
    policy: Policy,
    since: datetime.datetime,
    finished: threading.Event,
    refused: Callable[[str], None] = lambda code: None,
) -> ClientApp:
    """Give a site's client app behind its gate, with its records in the site's folder.

    Parameters
    ----------
    since : what the audit record says was asked from then on counts against the limits of asking.
    finished : set when the coordinator ends the study.
    refused : told the code of each refusal.
    """
    record = read_entries(folder.audit) if folder.audit.exists() else ()
    gate = Gate(
        settings=settings,
        role=role,
        policy=policy,
        audit=AuditLog(folder.audit, _now),
        asked=Asked.from_record(
            record, since=since, external_models=external_requests(policy, settings)
        ),
        refused=refused,
    )
    answers = Answers(folder.answers, settings, work.data_sha256)
    return make_app(RecordedWork(work, answers), gate, finished)


def _warn_of_the_end(ca_certificate: str) -> None:
    end = describe_end("The study's certificate authority", days_left(ca_certificate, _now()))
    if end is not None:
        _log.warning("%s. Ask the coordinator for a new invitation, then join again.", end)


def _call(app: ClientApp, message: Message) -> Message:
    if message.metadata.message_type != MessageType.PROGRESS:
        _log.info("asked: %s, round %s", message.metadata.message_type, message.metadata.group_id)
    context = Context(message.metadata.run_id, message.metadata.dst_node_id, {}, RecordDict(), {})
    return app(message, context)


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
