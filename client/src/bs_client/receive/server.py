"""Listen for a PACS that pushes scans: a storage provider (PS3.4 Annex B) that admits few.

Only named callers, only nuclear medicine objects and secondary captures, only transfer syntaxes
that ingest decodes. Log lines hold codes, sizes and AE titles of admitted callers, nothing else.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

from pydicom.uid import (
    JPEG2000,
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
    SecondaryCaptureImageStorage,
)
from pynetdicom import AE, evt, register_uid
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.events import Event
from pynetdicom.service_class import StorageServiceClass
from pynetdicom.transport import AssociationSocket

from bs_client.dicom.admission import NM_CLASSES
from bs_client.receive.inbox import Inbox, StoreStatus
from bs_common.errors import ConfigError

VERIFICATION = UID("1.2.840.10008.1.1")  # C-ECHO (PS3.4 Annex A)
RETIRED_NM = NM_CLASSES[1]
# Some cameras' whole-body scans are stored as secondary captures of 16 bits.
STORAGE_CLASSES = (*NM_CLASSES, SecondaryCaptureImageStorage)
# In order of preference. Deflated is left out: it may grow a thousandfold in memory.
TRANSFER_SYNTAXES = (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    ExplicitVRBigEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    JPEGLosslessSV1,
    RLELossless,
    JPEG2000,
)
AE_TITLE = re.compile(r"[!-\[\]-~](?:[ -\[\]-~]{0,14}[!-\[\]-~])?")  # PS3.5 6.2, without backslash

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ReceiverSettings:
    """Who may send how much.

    ae_title : what callers must call this receiver.
    allow : AE titles of the callers that are admitted; everybody else is refused.
    host, port : where to listen; port 0 takes a free one.

    Raises ConfigError if nobody is allowed or a title is none.
    """

    ae_title: str
    allow: tuple[str, ...]
    host: str = "127.0.0.1"
    port: int = 11112
    # The longest protocol data unit; senders with fifty kinds of object need 64 KiB to ask.
    max_pdu_bytes: int = 128 * 2**10
    # A PACS sends a study over one association, some over four.
    max_associations: int = 8
    # A whole-body object has 0.5-4 MB.
    max_object_bytes: int = 64 * 2**20
    # A sender that is silent for so long is gone.
    network_timeout_s: float = 60
    # For an object under way when the receiver is told to end.
    farewell_s: float = 10

    def __post_init__(self) -> None:
        if not self.allow:
            raise ConfigError(
                "No caller is allowed, so every scan would be refused.",
                remedy="Name the AE title of each sender, such as --allow PACS1 --allow PACS2.",
            )
        wrong = [title for title in (self.ae_title, *self.allow) if not AE_TITLE.fullmatch(title)]
        if wrong:
            raise ConfigError(
                f"{len(wrong)} AE titles are not 1-16 characters of ASCII without backslash.",
                remedy="Take the titles as the PACS administrator wrote them.",
            )


@contextmanager
def listening(inbox: Inbox, settings: ReceiverSettings) -> Iterator[int]:
    """Receive into `inbox` within the block, in threads; give the port.

    At the end no caller is admitted any more, and what is under way may finish within
    `farewell_s`. Raises ConfigError if the address cannot be listened at.
    """
    # pynetdicom's own lines quote identifiers and values; outcomes are logged here instead.
    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)
    entity = _entity(settings)
    handlers: list[evt.EventHandlerType] = [
        (evt.EVT_CONN_OPEN, _bound_reading, [settings]),
        (evt.EVT_REJECTED, _log_rejection),
        (evt.EVT_C_ECHO, _echo),
        (evt.EVT_C_STORE, _store, [inbox]),
    ]
    try:
        server = entity.start_server(
            (settings.host, settings.port), block=False, evt_handlers=handlers
        )
    except OSError as error:
        raise ConfigError(
            f"Cannot listen at {settings.host} port {settings.port}: {error.strerror}.",
            remedy="Choose an address of this machine and a free port above 1023.",
        ) from error
    assert server is not None  # noqa: S101 (None only when blocking)
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        _let_finish(entity, settings.farewell_s)
        entity.shutdown()


def _entity(settings: ReceiverSettings) -> AE:
    entity = AE(ae_title=settings.ae_title)
    entity.require_calling_aet = list(settings.allow)
    entity.require_called_aet = True
    entity.maximum_pdu_size = settings.max_pdu_bytes
    entity.maximum_associations = settings.max_associations
    entity.acse_timeout = entity.dimse_timeout = settings.network_timeout_s
    entity.network_timeout = settings.network_timeout_s
    register_uid(RETIRED_NM, "RetiredNuclearMedicineImageStorage", StorageServiceClass)
    for storage_class in STORAGE_CLASSES:
        entity.add_supported_context(storage_class, list(TRANSFER_SYNTAXES))
    entity.add_supported_context(VERIFICATION)
    return entity


class BoundedReading:
    """Reads from one caller's connection, but not more than one object may hold.

    pynetdicom collects a whole message in memory and believes any stated length.
    """

    def __init__(self, connection: AssociationSocket, settings: ReceiverSettings) -> None:
        self._read = connection.recv
        self._settings = settings
        self._since_last_message = 0

    def __call__(self, nr_bytes: int) -> bytearray:
        """Read so many bytes, or raise OSError, which ends the association."""
        self._since_last_message += nr_bytes
        too_long = nr_bytes > self._settings.max_pdu_bytes
        if too_long or self._since_last_message > self._settings.max_object_bytes:
            log.warning("association ended: E_TOO_LARGE")
            raise OSError("more bytes than one object may have")
        return self._read(nr_bytes)

    def start_again(self) -> None:
        """Note that a message is complete."""
        self._since_last_message = 0


def _bound_reading(event: Event, settings: ReceiverSettings) -> None:
    connection = _connection(event)
    connection.recv = BoundedReading(connection, settings)  # type: ignore[method-assign]


def _message_complete(event: Event) -> None:
    cast(BoundedReading, _connection(event).recv).start_again()


def _connection(event: Event) -> AssociationSocket:
    return cast(AssociationSocket, event.assoc.dul.socket)


def _log_rejection(_event: Event) -> None:
    log.warning("association refused: caller not allowed, other title called, or too many callers")


def _echo(event: Event) -> int:
    _message_complete(event)
    return StoreStatus.SUCCESS


def _store(event: Event, inbox: Inbox) -> int:
    _message_complete(event)
    content = event.encoded_dataset()
    request = cast(C_STORE, event.request)
    outcome = inbox.store(content, str(request.AffectedSOPInstanceUID))
    caller = event.assoc.requestor.ae_title
    level = logging.INFO if outcome.status is StoreStatus.SUCCESS else logging.WARNING
    log.log(level, "%s: %s (0x%04X, %d bytes)", caller, outcome.code, outcome.status, len(content))
    return outcome.status


def _let_finish(entity: AE, farewell_s: float) -> None:
    # A connection that has asked for nothing yet is not waited for.
    deadline = time.monotonic() + farewell_s
    while time.monotonic() < deadline:
        if not any(one.is_established for one in entity.active_associations):
            return
        time.sleep(0.05)
