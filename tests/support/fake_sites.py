"""The sites' side of a simulation without scans or TensorFlow: fake work behind real gates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from flwr.clientapp import ClientApp

from bs_common.metrics import Confusion
from bs_common.settings import Role, StudySettings
from bs_common.simulation import Difference, Judged, Machine, Model, Seat, SiteData, Steps
from bs_common.weights import digest
from bs_server.simulation.plan import SimulationFile, SiteSection
from support.fake_site import FakeWork, fake_app

SETTINGS = StudySettings(name="test", seed=3, backbone="random:1", trainable="head", rounds=2)
STEPS = {"aachen": 0.25, "aalborg": 0.75, "centralised": 0.5}


@dataclass
class FakeSites:
    """Each site adds its own number to every weight; whoever judges says what it was given.

    events : what was asked, in order: ``(seed, seat)`` for a seat taken, ``("judge", seat.name)``.
    """

    data_sha256: str = "d" * 64
    synthetic: bool = True
    remarks: Sequence[str] = ()
    events: list[tuple[int | str, str]] = field(default_factory=list)
    works: list[FakeWork] = field(default_factory=list)
    judged: list[list[str]] = field(default_factory=list)

    def take_seat(self, seat: Seat, settings: StudySettings) -> ClientApp:
        self.events.append((settings.seed, seat.name))
        work = FakeWork(seat.name, settings, positives=10, step=STEPS[seat.name])
        self.works.append(work)
        seat.folder.mkdir(parents=True, exist_ok=True)
        return fake_app(work, seat.role, seat.folder)

    def judge(self, seat: Seat, models: Sequence[Model]) -> list[Judged]:
        self.events.append(("judge", seat.name))
        self.judged.append([digest(model.arrays) for model in models])
        gains = [None, *(Difference(0.1 * n, -0.1, 0.6, 0.5) for n in range(1, len(models)))]
        table = Confusion(tp=7, fn=1, tn=6, fp=2)
        return [Judged(0.9, 0.8, 0.95, table, gain) for gain in gains]


def open_fakes(
    data: Sequence[SiteData], settings: StudySettings, machine: Machine, *, told: Steps
) -> FakeSites:
    """Stand in for the entry point of the sites' program."""
    return FakeSites()


def simulation_file(
    root: Path, *, train: Sequence[str] = ("aachen", "aalborg"), rounds: int = 2
) -> SimulationFile:
    """Give a simulation whose scans nobody reads."""
    roles: dict[str, Role] = {"namur": "evaluate"}
    roles.update(dict.fromkeys(train, "train"))
    return SimulationFile(
        study=SETTINGS.model_copy(update={"rounds": rounds}),
        sites={
            name: SiteSection(role=role, scans=root / name, labels=root / f"{name}.csv")
            for name, role in roles.items()
        },
    )
