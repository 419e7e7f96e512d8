"""What happens to a study beside its rounds: its first start, notes for its readers, goodbyes."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import Field

from bs_common.errors import StudyStopped
from bs_common.settings import Name
from bs_server.config import StudyFile, StudyFolder
from bs_server.results.external_values import Sha256
from bs_server.storage.documents import Document, read_state, write_state

Clock = Callable[[], datetime.datetime]  # the time now, in UTC

_log = logging.getLogger(__name__)


class HistoryFile(Document):
    """The history as it lies on disk; times are UTC."""

    started: datetime.datetime
    settings_sha256: Sha256
    notes: list[str] = Field(default_factory=list)
    dismissed: list[Name] = Field(default_factory=list)


@dataclass
class History:
    """The history of one study; every change is on disk before it is used."""

    folder: StudyFolder
    file: HistoryFile
    clock: Clock

    def note(self, text: str) -> None:
        """Keep a sentence for the readers of the summary."""
        _log.warning("%s", text)
        stamp = self.clock().astimezone(datetime.UTC).isoformat(timespec="seconds")
        self._keep(notes=[*self.file.notes, f"{stamp}: {text}"])

    def dismiss(self, site: str) -> None:
        """Remember that a site knows of the end of the study."""
        if site not in self.file.dismissed:
            self._keep(dismissed=[*self.file.dismissed, site])

    def _keep(self, **changes: object) -> None:
        self.file = self.file.model_copy(update=changes)
        write_state(self.folder.history, self.file)


def open_history(folder: StudyFolder, file: StudyFile, clock: Clock) -> History:
    """Read the history, or begin it.

    Raises StudyStopped if the settings in study.toml are not those the study began with.
    """
    digest = file.study.digest()
    if not folder.history.exists():
        begun = HistoryFile(version=1, started=clock(), settings_sha256=digest)
        write_state(folder.history, begun)
        return History(folder, begun, clock)
    history = read_state(folder.history, HistoryFile)
    if history.settings_sha256 != digest:
        raise StudyStopped(
            "The settings under [study] in study.toml are not those this study began with.",
            remedy="Put them back; other settings need a study of their own. Everything but "
            "[study] may be changed.",
        )
    return History(folder, history, clock)
