"""A simulation with the real sites' side: no socket, and the same bytes as a study over TLS."""

from __future__ import annotations

import datetime
import socket
from pathlib import Path

import pytest

from bs_server.config import StudyFolder
from bs_server.results.comparison import Comparison
from bs_server.results.summary import read_summary
from bs_server.simulation.plan import SimulationFile, SiteSection
from bs_server.simulation.run import Simulation
from bs_server.simulation.sites import find_sites
from support.real_study import HEAD, ROLES, HeadStudy

pytestmark = pytest.mark.integration


@pytest.fixture
def no_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket was asked for")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "socketpair", refuse)


def rounds_of(folder: StudyFolder) -> list[bytes]:
    weights = [folder.rounds / f"{n:04d}/weights.safetensors" for n in range(HEAD.rounds + 1)]
    return [path.read_bytes() for path in weights]


def simulated(root: Path, comparator: str) -> list[bytes]:
    return rounds_of(StudyFolder(root / f"seed-{HEAD.seed}" / comparator / "coordinator"))


@pytest.mark.usefixtures("no_socket")
def test_a_simulation_gives_the_bytes_of_a_study_over_tls_without_a_socket(
    head_study: HeadStudy, tmp_path: Path
) -> None:
    sections = {
        name: SiteSection(role=ROLES[name], scans=data.scans, labels=data.labels)
        for name, data in head_study.data.items()
    }
    file = SimulationFile(study=HEAD, sites=sections)
    one_site = SimulationFile(study=HEAD, sites={n: sections[n] for n in ("aachen", "namur")})
    machine = file.machine(tmp_path / "cache")
    sites = find_sites()(file.data(), HEAD, machine, told=lambda what, done, total: None)

    def compare(file: SimulationFile, folder: Path) -> Comparison:
        folder.mkdir()
        clock = lambda: datetime.datetime.now(datetime.UTC)  # noqa: E731
        told = lambda event, **facts: None  # noqa: E731
        return Simulation(folder, file, sites, clock, told).compare([HEAD.seed]).comparison

    comparison = compare(file, tmp_path / "all")
    compare(one_site, tmp_path / "alone")

    assert simulated(tmp_path / "all", "federated") == rounds_of(head_study.study.folder)
    assert simulated(tmp_path / "alone", "federated") == simulated(tmp_path / "all", "local-aachen")
    assert len({row.weights_sha256 for row in comparison.rows}) == len(comparison.rows) == 4
    assert comparison.synthetic
    over_tls = read_summary(head_study.study.folder.summary).comparison
    assert over_tls is not None
    assert comparison.rows[0] == over_tls.rows[0]
    by_site = {row.site: row for row in comparison.rows if row.model == "local"}
    for alone in over_tls.rows[1:]:
        # What a site trains by itself is what a study of this site alone chooses.
        same = by_site[alone.site]
        assert (same.best_round, same.weights_sha256) == (alone.best_round, alone.weights_sha256)
