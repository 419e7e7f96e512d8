"""Which sites are connected, and for how long the others have been away."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Protocol

_LOOK_EVERY_S = 0.5


class Told(Protocol):
    """Told what happens."""

    def __call__(self, event: str, **facts: object) -> None:
        """Take one event and its facts."""


class Attendance:
    """The sites' presence as the link reports it, looked at twice a second at most.

    Time is the system's monotonic clock: setting the clock changes nothing. A site that has not
    been seen since this coordinator started counts as away since then.

    Parameters
    ----------
    online : gives the names of the sites whose connection is alive now.
    told : hears `away` and `back`, each with the site.
    """

    def __init__(
        self,
        online: Callable[[], frozenset[str]],
        names: Iterable[str],
        *,
        told: Told,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._online = online
        self._clock = clock
        self._told = told
        self._looked = -float("inf")
        self._away_since = dict.fromkeys(sorted(names), clock())
        self.present: frozenset[str] = frozenset()

    def look(self) -> None:
        """Ask the link, unless that was done a moment ago."""
        now = self._clock()
        if now - self._looked < _LOOK_EVERY_S:
            return
        self._looked = now
        present = self._online() & frozenset(self._away_since)
        for site in sorted(self.present - present):
            self._away_since[site] = now
            self._told("away", site=site)
        for site in sorted(present - self.present):
            self._told("back", site=site)
        self.present = present

    def away_s(self, site: str) -> float:
        """Seconds since the site was last connected; 0 while it is."""
        return 0.0 if site in self.present else self._clock() - self._away_since[site]
