"""The site file, and where everything of a site lies in its folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from bs_client.dicom.settings import IngestSettings
from bs_common.architecture import Trainable
from bs_common.contract import MessageType
from bs_common.errors import ConfigError
from bs_common.health import HealthSettings
from bs_common.joining import Invitation, Sha256, read_document
from bs_common.toml import read_toml


class DataSettings(BaseModel):
    """Where this site's scans and labels are."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    scans: Path
    labels: Path


class Policy(BaseModel):
    """What this site lets out, whatever the study asks for.

    A study can ask for more caution (a higher `min_cell`), never for less.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    # The smallest count of patients that leaves; smaller ones are hidden. 5 is what most
    # disclosure-control guides ask for; 1 hides nothing and suits synthetic scans only.
    min_cell: Annotated[int, Field(ge=1, le=1000)] = 5
    # Requests that are answered. All of the contract's; take one out, and it is refused. A later
    # release's further ones are refused too until they are written here.
    messages: tuple[MessageType, ...] = tuple(MessageType)
    # How much of the network may be trained here and leave: the more, the more it can remember.
    scopes: tuple[Trainable, ...] = ("head", "block5", "all")
    # Each round is one more look at the same scans. The paper has 6, other studies up to hundreds.
    max_rounds: Annotated[int, Field(ge=0, le=10_000)] = 1000
    # For how many sets of weights the held-out scans are judged. One: a test that is taken until
    # it is passed is no test. A study that compares models of single sites puts all of them into
    # one request, and no other is let in; it needs one more for each train site that lets its own
    # model out.
    external_models: Annotated[int, Field(ge=1, le=100)] = 1
    # Whether the figures of each reader of a reader study may leave, by number and without a name.
    # A reader is a person too: as it stands, medians, quartiles and means leave.
    single_readers: bool = False
    # Whether a model trained on this site's scans alone may leave, to be judged beside the study's:
    # nothing is averaged into it, so it tells more of single patients. The coordinator and the
    # evaluate sites then have it.
    release_local: bool = False


class Connection(BaseModel):
    """How this site reaches the coordinator."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    # http://HOST:PORT of the hospital's HTTPS proxy, or "direct". Without it HTTPS_PROXY and
    # NO_PROXY hold, which a service started at boot does not see unless its unit sets them.
    proxy: Annotated[str, Field(pattern=r"^(direct|https?://[^\s/]+)$")] | None = None


class Compute(BaseModel):
    """How this site computes."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    # A fixed number, because results are repeated to the byte only with the same threads.
    threads: Annotated[int, Field(ge=1, le=256)] = 2
    # The study's backbone as a file of this site, where the study says "imagenet" or "file:...".
    backbone_file: Path | None = None
    # Training that is lost at most when the machine goes down, in seconds. Keeping a round's state
    # takes about a second for the full model, so a minute costs a hundredth of the time.
    checkpoint_s: Annotated[float, Field(ge=0, le=3600)] = 60.0


class SiteFile(BaseModel):
    """Everything in `site.toml`."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    data: DataSettings
    policy: Policy = Policy()
    compute: Compute = Compute()
    connection: Connection = Connection()
    ingest: IngestSettings = IngestSettings()
    # SERVING while the coordinator is connected; no address, no health service.
    health: HealthSettings = HealthSettings()


class Approval(BaseModel):
    """Which terms somebody at this site approved, and when."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    terms_sha256: Sha256
    approved: AwareDatetime


@dataclass(frozen=True, slots=True)
class SiteFolder:
    """Paths of one site's part in one study; all of it stays at the site."""

    path: Path

    @property
    def site_file(self) -> Path:
        """Settings of this site."""
        return self.path / "site.toml"

    @property
    def invitation(self) -> Path:
        """What was agreed to: address, pinned authority, role, study settings."""
        return self.path / "invitation.json"

    @property
    def approval(self) -> Path:
        """Digest of the terms that were approved here, and when."""
        return self.path / "approval.json"

    @property
    def key(self) -> Path:
        """Private key of the site, readable by its owner alone."""
        return self.path / "key.pem"

    @property
    def audit(self) -> Path:
        """One line for every message that left or was stopped."""
        return self.path / "audit.jsonl"

    @property
    def cache(self) -> Path:
        """Computed features; can be deleted at any time."""
        return self.path / "cache"

    @property
    def answers(self) -> Path:
        """The last answers, so that nothing is computed twice."""
        return self.path / "answers"

    @property
    def draft(self) -> Path:
        """A round of training that is not finished; can be deleted at any time."""
        return self.path / "round.safetensors"

    @property
    def local_draft(self) -> Path:
        """The model of this site alone as far as it is trained; can be deleted at any time."""
        return self.path / "local.safetensors"

    @property
    def private(self) -> Path:
        """Scores, maps and pages of the external evaluation."""
        return self.path / "private"

    @property
    def readers(self) -> Path:
        """Page and aggregates of a finished reader study, which the coordinator may ask for."""
        return self.path / "readers"

    def read(self) -> SiteFile:
        """Read the site file, or raise ConfigError naming every fault in it."""
        if not self.site_file.exists():
            raise ConfigError(
                f"{self.path} holds no site.toml.",
                remedy="Join a study with: bs-client join INVITATION --data DIR --labels CSV",
            )
        return read_toml(self.site_file, SiteFile)

    def read_invitation(self) -> Invitation:
        """Read what this site agreed to when it joined."""
        return read_document(self.invitation, Invitation)

    def read_approval(self) -> Approval:
        """Read which terms were approved here, or raise ConfigError if none were."""
        if not self.approval.exists():
            raise ConfigError(
                f"{self.path}: nobody has approved the study's terms here.",
                remedy=f"bs-client join INVITATION --site {self.path}",
            )
        return read_document(self.approval, Approval)
