"""What both sides agree on for a simulation: real sites in the coordinator's own process.

For scans that may lie in one place: public data, phantoms, one hospital with several scanners. The
site's program offers itself as an entry point, so that the coordinator's needs no import of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from flwr.app import Context, Message

from bs_common.architecture import NamedArrays
from bs_common.metrics import Confusion
from bs_common.settings import Role, StudySettings

ENTRY_POINTS = "bone_scan.simulation"
OPEN_SITES = "open_sites"

App = Callable[[Message, Context], Message]  # a whole Flower client app, behind its gate
Steps = Callable[[str, int, int], None]  # what is done, steps done, steps in all


@dataclass(frozen=True, slots=True)
class SiteData:
    """Scans and labels of one site, which a site of its own would keep.

    ingest : the site's `[ingest]` words.
    """

    name: str
    role: Role
    scans: Path
    labels: Path
    ingest: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Machine:
    """Where everything is computed, and with what.

    cache : folder of network inputs and features, named by their content.
    threads : results are repeated to the byte only with the same number.
    backbone_file : the study's backbone, where the study says "imagenet" or "file:...".
    """

    cache: Path
    threads: int = 2
    backbone_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Seat:
    """A place in one study: which sites' scans are worked on under which name.

    members : one site, or several whose scans are taken together.
    folder : the seat's records: audit log, answers.
    min_cell : the smallest count that is let out.
    """

    name: str
    role: Role
    members: tuple[str, ...]
    folder: Path
    min_cell: int


@dataclass(frozen=True, slots=True)
class Model:
    """A frozen model to be judged, with the probability from which it calls a scan positive."""

    arrays: NamedArrays
    threshold: float


@dataclass(frozen=True, slots=True)
class Difference:
    """The first model's AUC minus this one's on the same scans (paired DeLong).

    low, high : 95 % interval.
    p : two-sided, of equal areas.
    """

    value: float
    low: float
    high: float
    p: float


@dataclass(frozen=True, slots=True)
class Judged:
    """How a model did on one site's external scans.

    low, high : 95 % interval of the AUC (DeLong).
    table : scans called at the model's threshold.
    difference : None for the first model.
    """

    auc: float
    low: float
    high: float
    table: Confusion
    difference: Difference | None


class Sites(Protocol):
    """The sites' program with everybody's scans read and their features computed."""

    @property
    def synthetic(self) -> bool:
        """Whether any scan says that it was made artificially."""

    @property
    def data_sha256(self) -> str:
        """Digest of all scans, labels and splits, with all that makes inputs of them."""

    @property
    def remarks(self) -> Sequence[str]:
        """What a reader of the results must know of the scans."""

    def take_seat(self, seat: Seat, settings: StudySettings) -> App:
        """Give the client app that works in a study; apps may be called one at a time."""

    def judge(self, seat: Seat, models: Sequence[Model]) -> list[Judged]:
        """Judge models on an evaluate seat's scans, each beside the first; the seat records it."""


class OpenSites(Protocol):
    """The entry point: reads scans and computes features of the frozen part, once for all."""

    def __call__(
        self, data: Sequence[SiteData], settings: StudySettings, machine: Machine, *, told: Steps
    ) -> Sites:
        """Open the sites; raises DataError if a scan is at two of them."""
