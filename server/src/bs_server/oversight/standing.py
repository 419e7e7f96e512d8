"""Where a study stands now: kept up by the run from its own events, on disk for those who look.

Looking needs no server and no right but to read one file. The file is a picture for people and
probes; the study itself never reads it.
"""

from __future__ import annotations

import datetime
import logging
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Literal

from cryptography import x509
from pydantic import BaseModel, ConfigDict, Field

from bs_common.errors import StorageFailed
from bs_common.settings import Name, Role
from bs_server.config import StudyFolder
from bs_server.storage.documents import Document, write_state
from bs_server.storage.history import Clock
from bs_server.trust.authority import Authority

_log = logging.getLogger(__name__)
_WRITE_EVERY_S = 0.5  # at most, while things happen
_BEAT_EVERY_S = 10.0  # at least, while nothing does
_ROUNDS_SHOWN = 10
_REFUSALS_SHOWN = 50
_WELL_FOR_S = 120.0  # averaging and writing the largest model take seconds

SiteState = Literal["away", "connected", "asked", "answered", "refused"]
PHASES = {
    "serving": "waiting for sites",
    "waiting": "waiting for sites",
    "connected": "asking the sites what they have",
    "begun": "in a round",
    "resumed": "in a round",
    "paused": "paused",
    "local": "training of single sites' models, to compare",
    "external": "external evaluation",
    "external_missing": "waiting for the external evaluation",
    "released": "telling the sites",
    "finished": "finished",
    "stopped": "stopped",
}


class _Value(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)


class SiteStanding(_Value):
    """What one site does as far as the coordinator knows; times are UTC.

    message, round : what it was asked last.
    reason : why its last answer was not used.
    since : of `state`.
    last_seen : None while it has not connected to this run.
    phase, progress : of the work in hand and how much of it is done, where the site says so.
    refusals : replies of this run that were not used.
    """

    name: Name
    role: Role
    state: SiteState = "away"
    message: str | None = None
    round: int | None = None
    reason: str | None = None
    since: datetime.datetime
    last_seen: datetime.datetime | None = None
    phase: str | None = None
    progress: Annotated[float, Field(ge=0, le=1)] | None = None
    refusals: int = 0


class RoundRow(_Value):
    """One finished round."""

    round: int
    pooled_auc: float | None
    validation_loss: float | None
    seconds: float | None
    without: dict[str, str]


class RefusalRow(_Value):
    """One reply that was not used."""

    round: int
    name: str
    message: str
    attempt: int
    reason: str


class Standing(Document):
    """The whole picture; times are UTC.

    round : in hand, or the last one; None before the first.
    disk_free_bytes : of the disk that holds the study.
    certificate_expires : of the server certificate; None where it cannot be read.
    reason, remedy : why the study stopped and what to do.
    """

    model_config = ConfigDict(frozen=False)

    study: str
    written: datetime.datetime
    phase: str
    round: int | None = None
    rounds: int
    sites: list[SiteStanding]
    finished_rounds: list[RoundRow] = Field(default_factory=list)
    refusals: list[RefusalRow] = Field(default_factory=list)
    notes: list[str] = Field(default_factory=list)
    disk_free_bytes: int | None = None
    certificate_expires: datetime.datetime | None = None
    reason: str | None = None
    remedy: str | None = None


class StandingKeeper:
    """Hears the events of a run and keeps its standing on disk.

    A disk that refuses the file does not stop a study: what must be on disk is the rounds, and
    they say so themselves.
    """

    def __init__(
        self,
        folder: StudyFolder,
        *,
        study: str,
        rounds: int,
        roles: Mapping[str, Role],
        clock: Clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._monotonic = monotonic
        self._written = self._beaten = -float("inf")
        self._changed = True
        now = clock()
        self._sites = {
            name: SiteStanding(name=name, role=role, since=now)
            for name, role in sorted(roles.items())
        }
        self.standing = Standing(
            version=1,
            study=study,
            written=now,
            phase=PHASES["serving"],
            rounds=rounds,
            sites=list(self._sites.values()),
        )

    def __call__(self, event: str, **facts: Any) -> None:
        """Take one event."""
        if event in PHASES:
            self.standing.phase = PHASES[event]
        if event in ("asked", "answered", "away", "back", "progress"):
            self._site_event(event, facts)
        elif event in ("waiting", "connected"):
            self._mark_present(facts["online"])
        elif event == "begun":
            self.standing.round = facts["round"]
        elif event == "refused":
            self._refused(facts)
        elif event == "round":
            self._finished_round(facts)
        elif event == "damaged":
            self.standing.notes.append(
                f"round {facts['round']} was damaged on disk: {facts['why']}"
            )
        elif event in ("stopped", "external_missing"):
            self.standing.reason = facts.get("reason") or facts.get("why")
            self.standing.remedy = facts.get("remedy")
        self._changed = True
        if event in ("stopped", "finished"):
            self._write()

    def beat(self) -> None:
        """Write the standing if that is due; called many times a second."""
        now = self._beaten = self._monotonic()
        due_s = _WRITE_EVERY_S if self._changed else _BEAT_EVERY_S
        if now - self._written >= due_s:
            self._write()

    def is_well(self) -> bool:
        """Tell whether the run is alive: it looks at its wishes and links many times a second."""
        return self._monotonic() - self._beaten < _WELL_FOR_S

    def _write(self) -> None:
        self._written, self._changed = self._monotonic(), False
        now = self._clock()
        for site in self._sites.values():
            if site.state != "away":
                site.last_seen = now
        self.standing.written = now
        self.standing.disk_free_bytes = shutil.disk_usage(self._folder.path).free
        self.standing.certificate_expires = certificate_expires(Authority(self._folder.authority))
        try:
            write_state(self._folder.standing, self.standing)
        except StorageFailed as error:
            _log.warning("the standing is not written: %s", error)

    def _site_event(self, event: str, facts: Mapping[str, Any]) -> None:
        site = self._sites[facts["site"]]
        if event == "progress":
            site.phase, site.progress = facts["phase"], facts["progress"]
            return
        site.phase = site.progress = None
        site.since = self._clock()
        if event == "away":
            site.last_seen, site.state = site.since, "away"
        elif event == "back":
            site.last_seen, site.state = site.since, "connected"
        elif event == "asked":
            site.message, site.round, site.reason = facts["message"], facts["round"], None
            site.state = "asked" if site.state != "away" else "away"
        elif event == "answered":
            site.reason = facts["reason"]
            if site.state != "away":
                site.state = "answered" if site.reason is None else "refused"

    def _mark_present(self, online: Iterable[str]) -> None:
        for name in online:
            if (site := self._sites[name]).state == "away":
                site.state, site.since = "connected", self._clock()

    def _refused(self, facts: Mapping[str, Any]) -> None:
        row = RefusalRow.model_validate({k: facts[k] for k in RefusalRow.model_fields})
        self.standing.refusals = [*self.standing.refusals, row][-_REFUSALS_SHOWN:]
        site = self._sites[row.name]
        site.refusals += 1
        site.reason = row.reason
        if site.state != "away":
            site.state = "refused"

    def _finished_round(self, facts: Mapping[str, Any]) -> None:
        row = RoundRow.model_validate({k: facts[k] for k in RoundRow.model_fields})
        self.standing.round = row.round
        self.standing.finished_rounds = [*self.standing.finished_rounds, row][-_ROUNDS_SHOWN:]


def certificate_expires(authority: Authority) -> datetime.datetime | None:
    """Give the end of the server certificate; None where it cannot be read."""
    try:
        pem = authority.server_certificate.read_bytes()
        return x509.load_pem_x509_certificate(pem).not_valid_after_utc
    except (OSError, ValueError):
        return None
