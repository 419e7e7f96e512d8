"""Sites of one process share scans, features and network, and nothing else."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from flwr.app import Context, Message, RecordDict
from sklearn.metrics import roc_auc_score

from bs_client.model.network import Network
from bs_client.phantom import STYLES
from bs_client.phantom.cohort import CohortCounts, write_cohort
from bs_client.phantom.site_style import SiteName
from bs_client.simulation.sites import PooledSites, open_sites
from bs_common.architecture import initial_head
from bs_common.audit import read_entries
from bs_common.contract import COHORT_CELLS, MessageType
from bs_common.errors import DataError
from bs_common.flower_objects import identify_process
from bs_common.messages import Reply, Request, read_reply, write_request
from bs_common.settings import Role, StudySettings
from bs_common.simulation import App, Judged, Machine, Model, Seat, SiteData
from support.small_network import small_settings

pytestmark = [pytest.mark.usefixtures("device"), pytest.mark.slow]

SETTINGS = small_settings("head")
ROLES: dict[SiteName, Role] = {"aachen": "train", "aalborg": "train", "namur": "evaluate"}
SCANS = 4  # a site; two with metastasis


@dataclass
class Opened:
    data: list[SiteData]
    sites: PooledSites
    machine: Machine
    computed: list[int]  # scans of every call of the frozen part


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    """Three sites of four scans; one patient id of Aalborg is also one of Aachen."""
    root = tmp_path_factory.mktemp("simulation")
    data = [make_site(root, name, role) for name, role in ROLES.items()]
    share_a_patient(data[0].labels, data[1].labels)
    machine = Machine(root / "cache")
    computed: list[int] = []
    activate = Network.activate

    def counting(self: Network, images: np.ndarray) -> np.ndarray:
        computed.append(len(images))
        return activate(self, images)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Network, "activate", counting)
        sites = open_sites(data, SETTINGS, machine, told=lambda what, done, total: None)
        yield Opened(data, sites, machine, computed)


def make_site(root: Path, name: SiteName, role: Role) -> SiteData:
    counts = CohortCounts(positive=SCANS // 2, negative=SCANS // 2)
    labels = write_cohort(
        root / name, style=STYLES[name], counts=counts, seed=1, preset="conspicuous"
    )
    return SiteData(name, role, root / name / "scans", labels)


def share_a_patient(one: Path, other: Path) -> None:
    with one.open(newline="") as first, other.open(newline="") as second:
        shared = next(csv.DictReader(first))["patient_id"]
        rows = list(csv.DictReader(second))
    rows[0]["patient_id"] = shared
    with other.open("w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)


def seat_of(root: Path, name: str, *members: str, role: Role = "train") -> Seat:
    return Seat(name, role, members, root / name, min_cell=1)


def ask(app: App, kind: MessageType, settings: StudySettings) -> Reply:
    identify_process(run_id=1, task_id=1, node_id=1)
    arrays = initial_head(settings.seed) if kind is not MessageType.DESCRIBE else {}
    number = 0 if kind is MessageType.DESCRIBE else 1
    content = write_request(Request(kind, number, arrays), settings)
    message = Message(content, 2, kind.value, group_id=str(number))
    reply = app(message, Context(1, 2, {}, RecordDict(), {}))
    assert not reply.has_error(), reply.error.reason
    return read_reply(kind.value, reply.content, settings)


def judge(opened: Opened, folder: Path, *seeds: int) -> list[Judged]:
    """Judge starting heads of these seeds."""
    seat = seat_of(folder, "namur", "namur", role="evaluate")
    return opened.sites.judge(seat, [Model(initial_head(seed), 0.5) for seed in seeds])


def test_features_are_computed_once_for_all_studies_and_seeds(
    opened: Opened, tmp_path: Path
) -> None:
    once = 2 * (2 * SCANS) + SCANS  # train sites' scans as they are and flipped, the judge's
    assert sum(opened.computed) == once

    for seed in (11, 12):
        settings = SETTINGS.model_copy(update={"seed": seed})
        for members in (("aachen",), ("aalborg",), ("aachen", "aalborg")):
            seat = seat_of(tmp_path / str(seed), "-".join(members), *members)
            app = opened.sites.take_seat(seat, settings)
            ask(app, MessageType.TRAIN, settings)
            ask(app, MessageType.EVALUATE, settings)
    judge(opened, tmp_path, 1, 2)

    assert sum(opened.computed) == once


def test_sites_opened_again_compute_nothing(opened: Opened) -> None:
    before = sum(opened.computed)

    again = open_sites(opened.data, SETTINGS, opened.machine, told=lambda what, done, total: None)

    assert sum(opened.computed) == before
    assert again.data_sha256 == opened.sites.data_sha256


def test_all_scans_together_keep_the_split_of_their_own_site(
    opened: Opened, tmp_path: Path
) -> None:
    def counts(name: str, *members: str) -> np.ndarray:
        app = opened.sites.take_seat(seat_of(tmp_path, name, *members), SETTINGS)
        metrics = ask(app, MessageType.DESCRIBE, SETTINGS).metrics
        return np.array([metrics[cell] for cell in COHORT_CELLS])

    together = counts("centralised", "aachen", "aalborg")

    assert (together == counts("one", "aachen") + counts("other", "aalborg")).all()
    assert together.sum() == 2 * SCANS


def test_a_seat_keeps_the_record_of_its_gate(opened: Opened, tmp_path: Path) -> None:
    app = opened.sites.take_seat(seat_of(tmp_path, "aachen", "aachen"), SETTINGS)

    ask(app, MessageType.DESCRIBE, SETTINGS)

    assert len((tmp_path / "aachen/audit.jsonl").read_text().splitlines()) == 2


def test_each_model_is_judged_beside_the_first_on_the_same_scans(
    opened: Opened, tmp_path: Path
) -> None:
    first, same, other = judge(opened, tmp_path, 1, 1, 2)

    assert first.difference is None
    (line,) = read_entries(tmp_path / "namur/audit.jsonl")
    assert (line["direction"], len(line["keys"])) == ("local", 3)  # type: ignore[arg-type]
    assert same.difference is not None
    assert (same.difference.value, same.difference.p, same.auc) == (0.0, 1.0, first.auc)
    assert other.difference is not None
    assert other.difference.value == pytest.approx(first.auc - other.auc, abs=1e-12)
    assert other.difference.low <= other.difference.value <= other.difference.high
    table = other.table
    assert (table.tp + table.fn, table.tn + table.fp) == (SCANS // 2, SCANS // 2)


def test_the_area_is_that_of_the_network_itself(opened: Opened, tmp_path: Path) -> None:
    dataset = opened.sites._cohorts.dataset(("namur",), SETTINGS)
    images = np.stack([np.stack([dataset.image(e)] * 3, axis=-1) for e in dataset.entries])
    network = opened.sites._network
    network.set_arrays(initial_head(2))
    _, margins = network.explain(images)

    (judged,) = judge(opened, tmp_path, 2)

    expected = roc_auc_score([entry.label for entry in dataset.entries], margins)
    assert judged.auc == pytest.approx(expected, abs=1e-12)


def test_a_patient_id_at_two_sites_is_remarked(opened: Opened) -> None:
    (remark,) = opened.sites.remarks

    assert "more than one site: 1." in remark


def test_a_scan_at_two_sites_is_refused(opened: Opened, tmp_path: Path) -> None:
    twice = [*opened.data, replace(opened.data[0], name="bonn")]

    with pytest.raises(DataError, match=f"more than one site: {SCANS}, expected 0"):
        open_sites(twice, SETTINGS, opened.machine, told=lambda what, done, total: None)
