"""Keeping a running coordinator in step with its folder: revoked sites, a renewed certificate.

`bs-server revoke` and `bs-server renew` only write files; here the running process notices.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from cryptography.hazmat.primitives.asymmetric import ec

from bs_common.errors import BoneScanError
from bs_server.config import StudyFolder
from bs_server.trust.authority import Authority, read_validity
from bs_server.trust.signed_register import read_register

_log = logging.getLogger(__name__)
_EVERY_S = 1.0
_DAY = timedelta(days=1)

_Stamp = tuple[int, int, int] | None


class Watched(Protocol):
    """The link to the sites, as far as a file in the study's folder can change it."""

    @property
    def sites(self) -> Mapping[str, ec.EllipticCurvePublicKey]:
        """Public key of every site that is admitted now."""

    def revoke(self, site: str) -> None:
        """End a site's access at once."""

    def reload_certificate(self) -> None:
        """Show the certificate that is in its file now."""

    def write_refusals(self) -> None:
        """Put what is due into the audit log."""


class Watch:
    """Looks at the folder every second, in a thread, while the context is open.

    Parameters
    ----------
    folder : of the study.
    link : is told what changed.
    clock : gives the time now, in UTC.
    """

    def __init__(self, folder: StudyFolder, link: Watched, clock: Callable[[], datetime]) -> None:
        self._folder = folder
        self._authority = Authority(folder.authority)
        self._link = link
        self._clock = clock
        self._register = _stamp(folder.register)
        self._certificate = _stamp(self._authority.server_certificate)
        self._serial = 0
        self._warned: datetime | None = None
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closed.set()
        self._thread.join(timeout=5)

    def look(self) -> None:
        """Look once; a file that cannot be read is told and leaves everything as it was."""
        for step in (
            self._follow_register,
            self._follow_certificate,
            self._warn_of_the_end,
            self._link.write_refusals,
        ):
            try:
                step()
            except (BoneScanError, OSError) as error:
                remedy = error.remedy if isinstance(error, BoneScanError) else ""
                _log.error("%s %s", error, remedy)

    def _run(self) -> None:
        self.look()
        while not self._closed.wait(_EVERY_S):
            self.look()

    def _follow_register(self) -> None:
        stamp = _stamp(self._folder.register)
        if stamp == self._register:
            return
        self._register = stamp
        register = read_register(self._folder)
        if register.serial < self._serial:
            _log.error("an older register of sites was put in place; it is not followed")
            return
        self._serial = register.serial
        keys = register.keys()
        for site, key in self._link.sites.items():
            if keys.get(site) != key:
                _log.warning("%s was revoked", site)
                self._link.revoke(site)

    def _follow_certificate(self) -> None:
        stamp = _stamp(self._authority.server_certificate)
        if stamp == self._certificate:
            return
        self._certificate = stamp
        self._link.reload_certificate()
        _log.warning("the server certificate was renewed; new connections are shown the new one")

    def _warn_of_the_end(self) -> None:
        now = self._clock()
        if self._warned is not None and now - self._warned < _DAY:
            return
        self._warned = now
        for warning in read_validity(self._authority, now).warnings():
            _log.warning("%s", warning)


def _stamp(path: Path) -> _Stamp:
    """Tell one content of a file from the next without reading it."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size
