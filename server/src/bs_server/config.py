"""The study file, and where everything of a study lies in its folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from bs_common.errors import ConfigError
from bs_common.health import HealthSettings
from bs_common.joining import Address, Contact
from bs_common.settings import StudySettings
from bs_common.toml import read_toml


class ServerSettings(BaseModel):
    """Where the coordinator listens, and under which name the sites reach it."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    # All interfaces: the firewall in front decides who may come.
    host: str = "0.0.0.0"  # noqa: S104
    # HTTPS' usual alternative; 443 needs rights that this process should not have.
    port: Annotated[int, Field(ge=0, le=65535)] = 8443
    # host:port as the sites dial it; its host must be a name in the server certificate.
    address: Address


def server_settings(host: str, port: int) -> ServerSettings:
    """Give the settings of a coordinator that sites reach under a name or an address."""
    if ":" in host:  # IPv6; `::` listens on IPv4 as well
        return ServerSettings(host="::", port=port, address=f"[{host}]:{port}")
    return ServerSettings(port=port, address=f"{host}:{port}")


class Deadlines(BaseModel):
    """How long the coordinator waits before it stops with a reason; never for ever."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)

    # A week: sites join when their admins find the time.
    sites_s: Annotated[float, Field(gt=0)] = 7 * 24 * 3600.0
    # A site reads every scan once before it can say what it has.
    describe_s: Annotated[float, Field(gt=0)] = 24 * 3600.0
    # Four days for one answer in a round: a full-model round on a site's CPU, or a site that went
    # down on Friday evening and is looked after on Monday.
    answer_s: Annotated[float, Field(gt=0)] = 4 * 24 * 3600.0
    # Nothing else waits for the external evaluation, and its site may have been switched off.
    external_s: Annotated[float, Field(gt=0)] = 7 * 24 * 3600.0
    # Training on a site's scans alone takes all rounds at once; the study goes on without a site
    # that does not answer.
    local_s: Annotated[float, Field(gt=0)] = 7 * 24 * 3600.0
    # A pause is ended by a person; this ends one that was forgotten.
    paused_s: Annotated[float, Field(gt=0)] = 30 * 24 * 3600.0


class Quorum(BaseModel):
    """What a round does without some of its sites; by default it needs them all.

    missing : a site has not answered. ``wait``: until the deadline, then the study stops with a
        reason. ``go_on``: without it after `patience_s`, or once it was away for `away_s`, if
        `fewest` others have answered; otherwise as ``wait``. ``stop``: after `patience_s`.
    refused : an answer cannot be used. ``repeat``: ask that site again, `attempts` times in all,
        then stop. ``go_on``: without it, if `fewest` others are usable, else as ``repeat``.
        ``stop``: at once.

    A site that was left out is asked again in the next round.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)

    # Train sites a round needs; without it all of them.
    fewest: Annotated[int, Field(ge=1)] | None = None
    missing: Literal["wait", "go_on", "stop"] = "wait"
    # Half a day: as long as a slow site may compute before a round does without it.
    patience_s: Annotated[float, Field(ge=0)] = 12 * 3600.0
    # Half an hour: a reboot or a change of network is over by then.
    away_s: Annotated[float, Field(ge=0)] = 1800.0
    refused: Literal["repeat", "go_on", "stop"] = "repeat"
    attempts: Annotated[int, Field(ge=1, le=10)] = 2
    # Which rounds may become the model. Rounds validated by different sites are judged on
    # different scans and cannot be compared, so by default only those count that the same sites
    # validated, as many as ever did: all of them, if they ever were all there.
    candidates: Literal["same_scans", "any_scans"] = "same_scans"

    @model_validator(mode="after")
    def _going_on_needs_a_number(self) -> Self:
        if "go_on" in (self.missing, self.refused) and self.fewest is None:
            raise ValueError("go_on needs 'fewest': how many train sites a round needs")
        return self


class Screening(BaseModel):
    """When an update is too large to be true."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)

    # Ten times the usual: sites of very different size stay below, a diverged training does not.
    norm_factor: Annotated[float, Field(gt=1)] = 10.0


class Storage(BaseModel):
    """What is kept on disk."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    # Weights of so many last rounds, beside those that may become the model; the records of all
    # rounds stay. 300 rounds of the full model would be 18 GB.
    keep_last: Annotated[int, Field(ge=2)] = 5


class StudyFile(BaseModel):
    """Everything in `study.toml`."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    study: StudySettings
    server: ServerSettings
    deadlines: Deadlines = Deadlines()
    # Named in the terms that the sites approve; a name and how to reach it.
    coordinator: Contact = Contact()
    quorum: Quorum = Quorum()
    screening: Screening = Screening()
    storage: Storage = Storage()
    health: HealthSettings = HealthSettings()


@dataclass(frozen=True, slots=True)
class StudyFolder:
    """Paths of one study at the coordinator."""

    path: Path

    @property
    def study_file(self) -> Path:
        """Settings, written once by `init`, edited by the coordinator before inviting."""
        return self.path / "study.toml"

    @property
    def authority(self) -> Path:
        """Certificates and keys; the keys are readable by their owner alone."""
        return self.path / "authority"

    @property
    def register(self) -> Path:
        """Invited and enrolled sites."""
        return self.path / "sites.json"

    @property
    def audit(self) -> Path:
        """One line for every message that was sent, received or refused."""
        return self.path / "audit.jsonl"

    @property
    def invitations(self) -> Path:
        """One invitation file a site."""
        return self.path / "invitations"

    @property
    def rounds(self) -> Path:
        """One folder a finished round."""
        return self.path / "rounds"

    @property
    def start(self) -> Path:
        """Weights that round 0 validates, on disk before they are used."""
        return self.path / "start"

    @property
    def descriptions(self) -> Path:
        """What each site said of itself."""
        return self.path / "descriptions.json"

    @property
    def external(self) -> Path:
        """The external evaluation's result, so that it is asked once."""
        return self.path / "external.json"

    @property
    def external_asked(self) -> Path:
        """What the evaluate site is asked about, written before it is asked."""
        return self.path / "external-asked.json"

    @property
    def local(self) -> Path:
        """Models of single sites, frozen before they are judged beside the study's."""
        return self.path / "local"

    @property
    def readers(self) -> Path:
        """What evaluate sites told of their reader studies, so that each is asked once."""
        return self.path / "readers.json"

    @property
    def history(self) -> Path:
        """When the study first ran, and what happened to it beside its rounds."""
        return self.path / "history.json"

    @property
    def control(self) -> Path:
        """The wish to stop or pause."""
        return self.path / "control.json"

    @property
    def standing(self) -> Path:
        """Where the study stands now, for those who look."""
        return self.path / "standing.json"

    @property
    def summary(self) -> Path:
        """The result as numbers."""
        return self.path / "summary.json"

    @property
    def report(self) -> Path:
        """The result as a page."""
        return self.path / "report.html"

    @property
    def export(self) -> Path:
        """The result as tables, measures and checklist drafts."""
        return self.path / "export"

    @property
    def comparison(self) -> Path:
        """The models compared, as CSV."""
        return self.path / "comparison.csv"

    def read(self) -> StudyFile:
        """Read the study file, or raise ConfigError naming every fault in it."""
        if not self.study_file.exists():
            raise ConfigError(
                f"{self.path} holds no study.toml.",
                remedy="Make a study with: bs-server init STUDY_DIR --host NAME",
            )
        return read_toml(self.study_file, StudyFile)
