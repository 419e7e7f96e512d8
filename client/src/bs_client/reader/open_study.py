"""A study as the page's server holds it: protocol, store and clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bs_client.reader.protocol import Protocol, ReaderStudyFolder
from bs_client.reader.standing import Standing, find_standing
from bs_client.reader.store import Store
from bs_common.errors import TrustError
from bs_common.joining import read_document

Clock = Callable[[], int]  # milliseconds since 1970, UTC; goes on when the server is started again


@dataclass(frozen=True, slots=True)
class OpenStudy:
    """An opened study.

    secure : whether it is served over TLS.
    """

    folder: ReaderStudyFolder
    protocol: Protocol
    store: Store
    clock: Clock
    secure: bool

    def standing(self, reader: str) -> Standing:
        """Work out where a reader stands now."""
        return find_standing(self.store, self.protocol, reader, now_ms=self.clock())


def open_study(folder: ReaderStudyFolder, clock: Clock, *, secure: bool = False) -> OpenStudy:
    """Open a study made by `new_study`.

    Raises ConfigError if it is not there, TrustError if its protocol was changed since.
    """
    protocol = read_document(folder.protocol, Protocol)
    store = Store(folder.database)
    if store.fact("protocol_sha256") != protocol.sha256():
        store.close()
        raise TrustError(
            f"{folder.protocol.name} is not the protocol that this study was made with.",
            remedy="Restore the file from a backup; a protocol does not change during a study.",
        )
    return OpenStudy(folder, protocol, store, clock, secure)
