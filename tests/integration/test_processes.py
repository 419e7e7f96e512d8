from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bs_common.audit import read_entries
from bs_common.settings import Role, StudySettings
from bs_server.results.summary import read_summary
from support.study_maker import MadeStudy, make_study

pytestmark = pytest.mark.integration

SETTINGS = StudySettings(name="wire", backbone="random:1", trainable="head", rounds=3)
ROLES: dict[str, Role] = {"aachen": "train", "aalborg": "train", "namur": "evaluate"}
TESTS = Path(__file__).parents[1]


def start_site(study: MadeStudy, name: str) -> subprocess.Popen[bytes]:
    program = [sys.executable, "-m", "support.fake_client", str(study.sites[name].path), "10"]
    log = (study.sites[name].path / "run.log").open("wb")
    return subprocess.Popen(program, cwd=TESTS, stdout=log, stderr=log)


def start_server(study: MadeStudy) -> subprocess.Popen[bytes]:
    program = [str(Path(sys.executable).parent / "bs-server"), "run", str(study.folder.path)]
    log = (study.folder.path / "run.log").open("wb")
    return subprocess.Popen([*program, "--json"], stdout=log, stderr=log)


def test_a_study_of_four_processes_over_tls_ends_with_a_report(tmp_path: Path) -> None:
    study = make_study(tmp_path, SETTINGS, ROLES)

    parties = [start_server(study), *(start_site(study, name) for name in ROLES)]
    statuses = [party.wait(timeout=90) for party in parties]

    log = (study.folder.path / "run.log").read_text()
    assert statuses == [0, 0, 0, 0], log
    summary = json.loads(study.folder.summary.read_text())
    assert [entry["round"] for entry in summary["rounds"]] == [0, 1, 2, 3]
    assert summary["external"]["tp"] == 7
    assert study.folder.report.exists()
    assert (study.folder.export / "STARD-2015.docx").exists()
    assert [path.parent for path in study.folder.path.rglob("summary.json")] == [study.folder.path]


def test_the_audit_log_names_every_passage(tmp_path: Path) -> None:
    study = make_study(tmp_path, SETTINGS, ROLES)
    parties = [start_server(study), *(start_site(study, name) for name in ROLES)]
    for party in parties:
        party.wait(timeout=90)

    entries = read_entries(study.sites["namur"].audit)
    out = [e["message_type"] for e in entries]

    assert out == [t for t in ("query.describe", "query.external", "query.finish") for _ in "io"]
    told = read_summary(study.folder.summary).audit
    assert told is not None
    by_kind = {one.kind: one for one in told.traffic if one.site == "namur"}
    for entry in entries[:4]:  # the goodbye comes after the summary
        one = by_kind[str(entry["message_type"]).rpartition(".")[2]]
        size = one.received_bytes if entry["direction"] == "out" else one.sent_bytes
        assert (one.received, one.sent, size) == (1, 1, entry["size_bytes"])
