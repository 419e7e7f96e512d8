"""The audit log of a site that answers small questions beside its work, on a disk that may fill."""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Lock

from bs_client.federation.audit import AuditLog, Passage
from bs_common.files import storing_in


class DoorLog(AuditLog):
    """An audit log for several threads; a line that the disk refuses leaves nothing of itself."""

    def __init__(self, path: Path, clock: Callable[[], datetime.datetime]) -> None:
        self._file, self._lock = path, Lock()
        super().__init__(path, clock)

    def record(self, passage: Passage) -> None:
        """Append one passage; raises StorageFailed, with the log as it was, if it cannot."""
        with self._lock, storing_in(self._file.parent):
            size = self._file.stat().st_size if self._file.exists() else 0
            try:
                super().record(passage)
            except OSError:
                with suppress(OSError):
                    os.truncate(self._file, size)
                raise
