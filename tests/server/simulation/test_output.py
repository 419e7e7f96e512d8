"""What a simulation leaves, and what its command refuses."""

from __future__ import annotations

import csv
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bs_common.simulation import ENTRY_POINTS
from bs_server.cli import app
from bs_server.report.simulation import render_simulation
from bs_server.results.comparison import Comparison
from bs_server.simulation.output import write_results
from bs_server.simulation.run import Result, Simulation
from support.fake_site import TIME
from support.fake_sites import FakeSites, simulation_file


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    folder = tmp_path_factory.mktemp("simulation")
    file = simulation_file(folder)
    told = lambda event, **facts: None  # noqa: E731
    return Simulation(folder, file, FakeSites(), lambda: TIME, told).compare([3, 4])


def test_the_comparison_is_read_back_as_it_was_written(result: Result, tmp_path: Path) -> None:
    written = write_results(tmp_path, result.comparison, result.studies, remarks=())

    assert Comparison.model_validate_json(written.json.read_text()) == result.comparison
    assert written.page.exists()


def test_the_table_has_a_line_a_row_marked_synthetic(result: Result, tmp_path: Path) -> None:
    written = write_results(tmp_path, result.comparison, result.studies, remarks=())

    with written.csv.open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == len(result.comparison.rows) == 8
    assert {line["synthetic"] for line in lines} == {"1"}


def test_the_page_shows_every_seed_the_mean_and_that_scans_are_synthetic(result: Result) -> None:
    page = render_simulation(result.comparison, result.studies, remarks=("7 patient ids & more",))

    assert "Synthetic scans: no clinical claim" in page
    assert "Seeds: 3, 4." in page
    assert page.count(">mean\N{NO-BREAK SPACE}(SD)</th>") == 4
    assert "aalborg alone" in page
    assert "7 patient ids &amp; more" in page
    assert "+0.200 (0.000)" in page  # of both seeds alike
    assert "()" not in page
    assert "<svg" in page
    assert "http://" not in page
    assert "https://" not in page


def test_the_page_of_real_scans_has_no_synthetic_mark(result: Result) -> None:
    real = result.comparison.model_copy(update={"synthetic": False})

    assert "ynthetic" not in render_simulation(real, result.studies, remarks=())


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    return ["simulate", "--folder", str(tmp_path / "simulation")]


def test_without_the_sites_program_the_command_says_what_to_install(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = lambda **_: EntryPoints()  # noqa: E731
    monkeypatch.setattr("bs_server.simulation.sites.entry_points", nothing)

    ended = CliRunner().invoke(app, [*command, "--phantoms"])

    assert ended.exit_code == 1
    assert "bs-client is not installed in this environment" in ended.output
    assert "What to do: Run deploy/install" in ended.output
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("words", [[], ["--phantoms", "file.toml"]])
def test_scans_are_given_in_one_way(command: list[str], words: list[str]) -> None:
    ended = CliRunner().invoke(app, [*command, *words])

    assert ended.exit_code == 1
    assert "Give either a simulation's file or --phantoms" in ended.output


def test_the_command_runs_a_file_from_begin_to_end(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = EntryPoints([EntryPoint("open_sites", "support.fake_sites:open_fakes", ENTRY_POINTS)])
    monkeypatch.setattr("bs_server.simulation.sites.entry_points", lambda **_: found)
    sites = ("aachen", "train"), ("aalborg", "train"), ("namur", "evaluate")
    study = '[study]\nname = "b"\nseed = 5\nbackbone = "random:1"\ntrainable = "head"\nrounds = 1\n'
    for name, _ in sites:
        (tmp_path / name).mkdir()
        (tmp_path / name / "labels.csv").touch()
    sections = [
        f'[sites.{name}]\nrole = "{role}"\nscans = "{name}"\nlabels = "{name}/labels.csv"\n'
        for name, role in sites
    ]
    (tmp_path / "b.toml").write_text(study + "".join(sections))

    ended = CliRunner().invoke(app, [*command, str(tmp_path / "b.toml"), "--seeds", "1"])

    assert ended.exit_code == 0, ended.output
    assert "seed 5, federated: round 1 chosen" in ended.output
    assert "comparison.html" in ended.output
