"""The study file, and where everything of a study lies in its folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from bs_common.errors import ConfigError
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
    # Two days for one answer: a full-model round on a site's CPU, over a night and a reboot.
    answer_s: Annotated[float, Field(gt=0)] = 2 * 24 * 3600.0


class StudyFile(BaseModel):
    """Everything in `study.toml`."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    study: StudySettings
    server: ServerSettings
    deadlines: Deadlines = Deadlines()
    # Named in the terms that the sites approve; a name and how to reach it.
    coordinator: Contact = Contact()


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
    def external(self) -> Path:
        """The external evaluation's result, so that it is asked once."""
        return self.path / "external.json"

    @property
    def started(self) -> Path:
        """When the study first ran."""
        return self.path / "started"

    @property
    def summary(self) -> Path:
        """The result as numbers."""
        return self.path / "summary.json"

    @property
    def report(self) -> Path:
        """The result as a page."""
        return self.path / "report.html"

    def read(self) -> StudyFile:
        """Read the study file, or raise ConfigError naming every fault in it."""
        if not self.study_file.exists():
            raise ConfigError(
                f"{self.path} holds no study.toml.",
                remedy="Make a study with: bs-server init STUDY_DIR --host NAME",
            )
        return read_toml(self.study_file, StudyFile)
