"""A simulation's studies are the coordinator's own; only the sites' work is made up here."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from bs_common.architecture import array_shapes, initial_head
from bs_common.audit import read_entries
from bs_common.errors import ConfigError, StudyStopped
from bs_common.reconciliation import reconcile
from bs_common.weights import read_weights
from bs_server.config import StudyFolder
from bs_server.results.comparison import Comparison
from bs_server.simulation.plan import SimulationFile
from bs_server.simulation.run import Simulation
from support.fake_site import TIME
from support.fake_sites import SETTINGS, STEPS, FakeSites, simulation_file


def silent(event: str, **facts: object) -> None:
    pass


def run(
    folder: Path,
    sites: FakeSites,
    *,
    file: SimulationFile | None = None,
    seeds: Iterable[int] = (3,),
) -> Comparison:
    folder.mkdir(exist_ok=True)
    simulation = Simulation(folder, file or simulation_file(folder), sites, lambda: TIME, silent)
    return simulation.compare(list(seeds)).comparison


def weights(folder: Path, comparator: str, number: int, seed: int = 3) -> Path:
    study = StudyFolder(folder / f"seed-{seed}" / comparator / "coordinator")
    return study.rounds / f"{number:04d}" / "weights.safetensors"


def test_each_seed_has_the_federated_each_local_and_the_centralised_model(tmp_path: Path) -> None:
    comparison = run(tmp_path, FakeSites(), seeds=(3, 4))

    found = [(row.seed, row.model, row.site) for row in comparison.rows]
    models = [
        ("federated", None),
        ("local", "aachen"),
        ("local", "aalborg"),
        ("centralised", None),
    ]
    assert found == [(seed, *model) for seed in (3, 4) for model in models]
    assert comparison.synthetic


def test_the_federated_weights_are_the_mean_and_the_local_ones_a_sites_own(tmp_path: Path) -> None:
    run(tmp_path, FakeSites())

    start = initial_head(SETTINGS.seed)
    added = {
        "federated": (STEPS["aachen"] + STEPS["aalborg"]) / 2,
        "local-aachen": STEPS["aachen"],
        "centralised": STEPS["centralised"],
    }
    for comparator, step in added.items():
        arrays = read_weights(weights(tmp_path, comparator, 2), array_shapes("head"))
        for name, array in arrays.items():
            np.testing.assert_allclose(array, start[name] + 2 * step, atol=1e-6)


def test_of_one_train_site_the_federated_and_the_local_model_are_the_same_bytes(
    tmp_path: Path,
) -> None:
    file = simulation_file(tmp_path, train=("aachen",))

    comparison = run(tmp_path, FakeSites(), file=file)

    federated, local, _ = comparison.rows
    assert federated.weights_sha256 == local.weights_sha256
    for number in range(SETTINGS.rounds + 1):
        one, other = (weights(tmp_path, name, number) for name in ("federated", "local-aachen"))
        assert one.read_bytes() == other.read_bytes()


def test_nothing_is_judged_before_all_models_of_all_seeds_are_frozen(tmp_path: Path) -> None:
    sites = FakeSites()

    comparison = run(tmp_path, sites, seeds=(3, 4))

    kinds = [event[0] == "judge" for event in sites.events]
    assert kinds == sorted(kinds)
    assert sum(kinds) == 2  # once a seed
    rows = [row.weights_sha256 for row in comparison.rows]
    assert [digest for models in sites.judged for digest in models] == rows


def test_both_records_of_a_study_agree_line_by_line(tmp_path: Path) -> None:
    run(tmp_path, FakeSites())

    root = tmp_path / "seed-3/federated"
    theirs = list(read_entries(root / "coordinator/audit.jsonl"))
    for site in ("aachen", "aalborg"):
        own = list(read_entries(root / site / f"{site}.audit.jsonl"))
        compared = reconcile(own, theirs, site=site)
        assert compared.differences == ()
        # describe, start validated, two rounds of training and validation, goodbye: there and back
        assert compared.agreed == 2 * (1 + 1 + 2 * 2 + 1)


def test_started_again_it_trains_nothing_and_gives_the_same_comparison(tmp_path: Path) -> None:
    first = run(tmp_path, FakeSites())
    sites = FakeSites()

    again = run(tmp_path, sites)

    assert again == first
    asked = {request.message_type for work in sites.works for request in work.seen}
    assert {kind.value for kind in asked} == {"query.describe"}


def test_further_seeds_add_to_those_that_are_done(tmp_path: Path) -> None:
    first = run(tmp_path, FakeSites())

    more = run(tmp_path, FakeSites(), seeds=(3, 4))

    assert more.rows[: len(first.rows)] == first.rows
    assert {row.seed for row in more.rows} == {3, 4}


@pytest.mark.parametrize("changed", ["settings", "scans"])
def test_a_folder_of_other_settings_or_scans_is_left_alone(tmp_path: Path, changed: str) -> None:
    run(tmp_path, FakeSites())
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    rounds = 3 if changed == "settings" else 2
    sites = FakeSites(data_sha256="e" * 64) if changed == "scans" else FakeSites()

    with pytest.raises(ConfigError, match="other settings or scans"):
        run(tmp_path, sites, file=simulation_file(tmp_path, rounds=rounds))

    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_site_that_refuses_stops_the_simulation_with_its_reason(tmp_path: Path) -> None:
    class Diverging(FakeSites):
        def judge(self, *_: object) -> list[object]:  # type: ignore[override]
            raise AssertionError("nothing was frozen")

    sites = Diverging()
    broken = STEPS | {"aalborg": float("nan")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("support.fake_sites.STEPS", broken)
        with pytest.raises(StudyStopped, match="aalborg"):
            run(tmp_path, sites)
