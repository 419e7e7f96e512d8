"""Looking at a study from outside: its standing, and whether the run that wrote it still lives."""

from __future__ import annotations

import datetime
import shutil
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bs_common.certificates import describe_end
from bs_common.errors import ConfigError
from bs_common.lock import Owner, find_owner
from bs_server.config import StudyFolder
from bs_server.oversight.standing import PHASES, SiteStanding, Standing, certificate_expires
from bs_server.storage.documents import read_state
from bs_server.trust.authority import Authority

STALE_S = 60.0  # a run writes its standing every ten seconds at least


class Condition(StrEnum):
    """Whether the study runs, by its lock and by the age of its standing."""

    RUNNING = "running"
    NOT_RESPONDING = "not responding"
    NOT_RUNNING = "not running"
    FINISHED = "finished"


@dataclass(frozen=True, slots=True)
class Status:
    """What can be said of a study now.

    age_s : seconds since the standing was written.
    certificate_days : whole days that the server certificate is still valid, below 0 once it is
        not; None where there is none.
    """

    condition: Condition
    standing: Standing
    owner: Owner | None
    age_s: float
    disk_free_bytes: int
    certificate_days: int | None

    def as_json(self) -> dict[str, Any]:
        """Give everything as values for JSON."""
        return {
            "condition": self.condition.value,
            "owner": self.owner.model_dump(mode="json") if self.owner else None,
            "age_s": round(self.age_s, 1),
            "certificate_days": self.certificate_days,
            **self.standing.model_dump(mode="json"),
            "disk_free_bytes": self.disk_free_bytes,
        }

    @property
    def runs(self) -> bool:
        """Whether what is said of the sites is so now."""
        return self.condition is Condition.RUNNING

    @property
    def headline(self) -> str:
        """Say in a line where the study stands."""
        standing = self.standing
        where = standing.phase
        if standing.phase == PHASES["begun"] and standing.round is not None:
            where = f"round {standing.round} of {standing.rounds}"
        if self.condition is Condition.NOT_RESPONDING:
            return f"not responding for {duration(self.age_s)}; last: {where}"
        if self.condition is Condition.NOT_RUNNING:
            return f"not running; last: {where}"
        return where

    @property
    def warnings(self) -> list[str]:
        """Say what needs somebody's attention."""
        found = [f"{site.name} is away" for site in self.standing.sites if self._missed(site)]
        if self.certificate_days is not None:
            end = describe_end("the server certificate", self.certificate_days)
            found += [end] if end else []
        if self.standing.reason:
            found.append(self.standing.reason)
        return found

    def _missed(self, site: SiteStanding) -> bool:
        return self.runs and site.state == "away"


def look(folder: StudyFolder, now: datetime.datetime) -> Status:
    """Look at a study; raises ConfigError where it has never run."""
    folder.read()
    if not folder.standing.exists():
        raise ConfigError(
            f"The study in {folder.path} has never run.",
            remedy=f"bs-server run {folder.path}",
        )
    standing = read_state(folder.standing, Standing)
    owner = find_owner(folder.path)
    age_s = max(0.0, (now - standing.written).total_seconds())
    expires = certificate_expires(Authority(folder.authority))
    return Status(
        condition=_condition(standing, owner, age_s),
        standing=standing,
        owner=owner,
        age_s=age_s,
        disk_free_bytes=shutil.disk_usage(folder.path).free,
        certificate_days=None if expires is None else (expires - now).days,
    )


def _condition(standing: Standing, owner: Owner | None, age_s: float) -> Condition:
    if standing.phase == PHASES["finished"]:
        return Condition.FINISHED
    if owner is None:
        return Condition.NOT_RUNNING
    return Condition.NOT_RESPONDING if age_s > STALE_S else Condition.RUNNING


def site_says(site: SiteStanding, now: datetime.datetime) -> str:
    """Say in a few words what a site does."""
    since = duration((now - site.since).total_seconds())
    asked = f"{site.message}, round {site.round}" if site.message else ""
    match site.state:
        case "away":
            return f"away for {since}" if site.last_seen else f"not connected yet ({since})"
        case "connected":
            return f"connected, nothing asked for {since}"
        case "asked":
            done = "" if site.progress is None else f", {site.progress:.0%} done"
            return f"works on {asked} for {since}{done}"
        case "answered":
            return f"answered {asked}, {since} ago"
        case "refused":
            return f"answer to {asked} not used: {site.reason}"


def duration(seconds: float) -> str:
    """Say a duration in its largest unit."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"
