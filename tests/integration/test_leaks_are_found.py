"""Site programs that leak on purpose: what the search of the wire finds, and what the gate stops.

Each leak happens at two sites of one study: past the gate, where only the search can tell, and
behind it. Every site has a scan, features and scores of its own, so that a find has one culprit.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
import pytest

from bs_client.phantom.cohort import CohortCounts, write_cohort
from bs_client.phantom.site_style import STYLES
from bs_common.architecture import parameter_count
from bs_common.audit import read_entries
from bs_common.contract import MessageType
from bs_common.settings import StudySettings
from bs_server.processes import Processes
from support.leaking_client import Payload
from support.study_maker import MadeStudy, free_port, make_study
from support.tls_proxy import Exchanged, TlsProxy
from support.wire_objects import pushed_objects, sent_replies
from support.wire_search import Searched, Secrets

pytestmark = pytest.mark.integration

SETTINGS = StudySettings(name="leaks", backbone="random:1", trainable="head", rounds=1)
PROGRAMS = Path(sys.executable).parent
TESTS = Path(__file__).parents[1]


@dataclass(frozen=True)
class Leak:
    """How it is done, what it carries, and the codes with which gate and coordinator refuse it."""

    how: str
    kind: str
    stopped: str
    refused: str


LEAKS = {
    "pixels-float16": Leak("add_array", "counts", "array_names", "array_names"),
    "pixels-uint16": Leak("add_bytes", "counts", "unknown_key", "unknown_key"),
    "features": Leak("replace_array", "features", "array_shape", "array_shape"),
    "scores": Leak("add_numbers", "scores", "unknown_key", "unknown_key"),
    "patient": Leak("add_record", "texts", "unknown_record", "unknown_record"),
    "error": Leak("fail_with_text", "texts", "internal", "unreadable_reason"),
}
DRESSED = "dressed"  # network input in a weight array: right name, shape and type
NAMES = [f"{place}-{leak}" for leak in LEAKS for place in ("past", "behind")] + [DRESSED]


@dataclass(frozen=True)
class LeakyStudy:
    study: MadeStudy
    secrets: Mapping[str, Secrets]
    exchanged: Sequence[Exchanged]
    upward: Searched
    verdicts: Mapping[str, str]


@pytest.fixture(scope="module")
def leaky(tmp_path_factory: pytest.TempPathFactory) -> LeakyStudy:
    root = tmp_path_factory.mktemp("leaks")
    port = free_port()
    study = make_study(root / "study", SETTINGS, dict.fromkeys(NAMES, "train"), dialled_port=port)
    secrets = make_secrets(root / "data")
    server = [str(PROGRAMS / "bs-server"), "run", str(study.folder.path), "--json"]
    sites = ["env", f"PYTHONPATH={TESTS}", sys.executable, "-m", "support.leaking_client"]
    for name, site in study.sites.items():
        sites += leak_of(name, site.path, secrets[name])
    with TlsProxy(study, port) as proxy, Processes() as processes:
        processes.start("coordinator", server, log=study.folder.path / "run.log")
        processes.start("sites", sites, log=root / "sites.log")
        wait_for_coordinator(processes, seconds=120)
    verdicts = last_verdicts(study.folder.path / "run.log")
    upward = Searched(b"\n".join(proxy.upward()))
    return LeakyStudy(study, secrets, proxy.exchanged(), upward, verdicts)


def make_secrets(folder: Path) -> dict[str, Secrets]:
    """Give every site one synthetic scan; features and scores are drawn."""
    counts = CohortCounts(train_positive=1, train_negative=len(NAMES) - 1)
    write_cohort(folder, style=STYLES["aachen"], counts=counts, seed=1, preset="conspicuous")
    scans = map(pydicom.dcmread, sorted((folder / "scans").iterdir()))
    return {
        name: secrets_of(scan, np.random.default_rng(number))
        for number, (name, scan) in enumerate(zip(NAMES, scans, strict=True))
    }


def secrets_of(scan: pydicom.Dataset, draw: np.random.Generator) -> Secrets:
    anterior, posterior = scan.pixel_array
    return Secrets(
        counts=[anterior, posterior],
        inputs=[(anterior[::16, ::4] / anterior.max()).astype(np.float32)],  # 64 x 64, in [0, 1]
        features=[draw.gamma(1, 1, (1, 512)).astype(np.float32)],
        scores=[draw.normal(0, 2, 12)],
        texts=frozenset({str(scan.StudyInstanceUID)}),
    )


def leak_of(name: str, site: Path, secrets: Secrets) -> list[str]:
    """Give a site's words on the command line of `leaking_client`."""
    place = "past" if name.startswith("past-") else "behind"
    how = "dress_as_weights" if name == DRESSED else LEAKS[name.removeprefix(f"{place}-")].how
    payload = site / "payload.npy"
    np.save(payload, payload_of(how, secrets))
    return [str(site), how, place, str(payload)]


def payload_of(how: str, secrets: Secrets) -> Payload:
    row = max(secrets.counts[0], key=lambda row: len(np.unique(row)))
    payloads: dict[str, Payload] = {
        "add_array": row.astype(np.float16),
        "add_bytes": row.astype(np.uint16),
        "replace_array": secrets.features[0][0],
        "dress_as_weights": secrets.inputs[0].reshape(-1)[:512],
        "add_numbers": secrets.scores[0],
        "add_record": np.array(*secrets.texts),
        "fail_with_text": np.array(*secrets.texts),
    }
    return payloads[how]


def wait_for_coordinator(processes: Processes, *, seconds: float) -> None:
    """Wait until the coordinator gives up; the sites then still try to reach it."""
    end = time.monotonic() + seconds
    while "coordinator" in (running := processes.running()):
        assert "sites" in running
        assert time.monotonic() < end
        time.sleep(0.05)


def last_verdicts(log: Path) -> dict[str, str]:
    """Give the reason with which the coordinator refused each site in the last attempt."""
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    refused = [line for line in lines if line["event"] == "refused"]
    last = max(line["attempt"] for line in refused)
    return {line["name"]: line["reason"] for line in refused if line["attempt"] == last}


@pytest.mark.parametrize("name", LEAKS)
def test_the_search_finds_what_a_site_without_a_gate_lets_out(leaky: LeakyStudy, name: str) -> None:
    found = leaky.upward.find(leaky.secrets[f"past-{name}"])

    assert set(found) == {LEAKS[name].kind}


def test_replies_taken_apart_show_whatever_is_not_the_models(leaky: LeakyStudy) -> None:
    replies = sent_replies(pushed_objects(leaky.exchanged))

    model = {("arrays/weights", "float32", (parameter_count("head"),))}
    arrays = {(n, dtype, shape) for r in replies for n, (dtype, shape, _) in r.arrays.items()}
    assert arrays - model == {
        ("arrays/extra", "float16", (256,)),
        ("arrays/weights", "float32", (512,)),
    }
    assert "metrics/scores[]" in set().union(*(reply.metrics for reply in replies))
    assert {"config/note", "notes/who"} < set().union(*(reply.config for reply in replies))


@pytest.mark.parametrize("name", LEAKS)
def test_the_gate_stops_the_same_leak_and_writes_down_its_code(
    leaky: LeakyStudy, name: str
) -> None:
    site = leaky.study.sites[f"behind-{name}"]

    entries = read_entries(site.audit)
    assert leaky.upward.find(leaky.secrets[f"behind-{name}"]) == {}
    assert {
        e["verdict"]
        for e in entries
        if (e["direction"], e["message_type"]) == ("out", MessageType.TRAIN.value)
    } == {LEAKS[name].stopped}
    assert leaky.verdicts[f"behind-{name}"] == LEAKS[name].stopped


@pytest.mark.parametrize("name", LEAKS)
def test_the_coordinator_refuses_what_no_gate_stopped(leaky: LeakyStudy, name: str) -> None:
    assert leaky.verdicts[f"past-{name}"] == LEAKS[name].refused


def test_the_search_finds_an_image_dressed_as_weights_which_no_gate_can_tell(
    leaky: LeakyStudy,
) -> None:
    """The gate knows names, shapes and types; so only code that the site trusts may run there."""
    assert DRESSED not in leaky.verdicts
    assert set(leaky.upward.find(leaky.secrets[DRESSED])) == {"inputs"}
