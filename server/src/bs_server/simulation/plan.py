"""What a simulation is made of: its file, and the studies that it runs for each seed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from bs_common.errors import ConfigError
from bs_common.settings import Name, Role, StudySettings
from bs_common.simulation import Machine, SiteData
from bs_common.toml import read_toml
from bs_server.results.comparison import ModelKind

CENTRALISED = "centralised"  # also the name of the one site that has all train sites' scans


class SiteSection(BaseModel):
    """One site of a simulation; paths start at the folder of the file."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    role: Role
    scans: Path
    labels: Path
    # The words of [ingest] in a site's own site.toml, for scans that leave a doubt.
    ingest: Mapping[str, bool] = {}


class ComputeSection(BaseModel):
    """How this machine computes."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    # As at a site: results are repeated to the byte only with the same threads.
    threads: Annotated[int, Field(ge=1, le=256)] = 2
    # The study's backbone as a file, where the study says "imagenet" or "file:...".
    backbone_file: Path | None = None


class SimulationFile(BaseModel):
    """Everything in a simulation's TOML file."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    study: StudySettings
    sites: Mapping[Name, SiteSection]
    compute: ComputeSection = ComputeSection()

    @model_validator(mode="after")
    def _somebody_trains_and_somebody_judges(self) -> Self:
        for role in ("train", "evaluate"):
            if not any(site.role == role for site in self.sites.values()):
                raise ValueError(f"no site has the role {role}")
        if CENTRALISED in self.sites:
            raise ValueError(f"no site may be called {CENTRALISED}: all together are")
        return self

    def names(self, role: Role) -> tuple[str, ...]:
        """Names of the sites with a role, sorted."""
        return tuple(sorted(name for name, site in self.sites.items() if site.role == role))

    def data(self) -> list[SiteData]:
        """Give the sites' scans and labels as the site's side takes them."""
        return [
            SiteData(name, site.role, site.scans, site.labels, dict(site.ingest))
            for name, site in sorted(self.sites.items())
        ]

    def machine(self, cache: Path) -> Machine:
        """Give where everything is computed."""
        return Machine(cache, self.compute.threads, self.compute.backbone_file)


@dataclass(frozen=True, slots=True)
class Comparator:
    """One of the studies whose models are compared.

    sites : name of each site that trains -> whose scans it has.
    site : the local model's only site.
    """

    kind: ModelKind
    sites: Mapping[str, tuple[str, ...]]
    site: str | None = None

    @property
    def name(self) -> str:
        """Give its folder's name: ``federated``, ``local-aachen``, ``centralised``."""
        return self.kind if self.site is None else f"{self.kind}-{self.site}"


def comparators(train_sites: tuple[str, ...]) -> Iterator[Comparator]:
    """Give the federated study, each train site's own, and that of all scans in one place."""
    yield Comparator("federated", {site: (site,) for site in train_sites})
    for site in train_sites:
        yield Comparator("local", {site: (site,)}, site)
    yield Comparator("centralised", {CENTRALISED: train_sites})


def read_simulation(path: Path) -> SimulationFile:
    """Read a simulation's file; raises ConfigError naming every fault in it, or a missing path."""
    if not path.is_file():
        raise ConfigError(
            f"{path}: no such file.", remedy="bs-server simulate --help shows what it holds."
        )
    file = read_toml(path, SimulationFile)
    root = path.resolve().parent
    sites = {
        name: site.model_copy(update={"scans": root / site.scans, "labels": root / site.labels})
        for name, site in file.sites.items()
    }
    for name, site in sites.items():
        if not site.scans.is_dir():
            raise ConfigError(f"{name}: {site.scans} is not a folder of scans.")
        if not site.labels.is_file():
            raise ConfigError(f"{name}: {site.labels} is not a labels file.")
    return file.model_copy(update={"sites": sites})
