"""A study of real processes whose trust changes while it runs."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509

from bs_common.audit import read_log
from bs_common.reconciliation import reconcile
from bs_common.settings import StudySettings
from bs_server.trust.authority import Authority
from support.attacked import wait_for
from support.study_maker import HOST, MadeStudy, make_study

pytestmark = [pytest.mark.integration, pytest.mark.timeout(500)]

TESTS = Path(__file__).parents[1]
SETTINGS = StudySettings(name="long", backbone="random:1", trainable="head", rounds=1000)
BS_SERVER = str(Path(sys.executable).parent / "bs-server")
BS_CLIENT = str(Path(sys.executable).parent / "bs-client")


@pytest.fixture
def study(tmp_path: Path) -> MadeStudy:
    return make_study(tmp_path, SETTINGS, {"aachen": "train", "aalborg": "train"})


@pytest.fixture
def processes(study: MadeStudy) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    started = {"server": start([BS_SERVER, "run", str(study.folder.path), "--json"], study, "run")}
    wait_for(lambda: '"serving"' in said(study, "run"), seconds=120)
    for name, site in study.sites.items():
        program = [sys.executable, "-m", "support.fake_client", str(site.path), "10"]
        started[name] = start(program, study, name)
    yield started
    for process in started.values():
        process.kill()
        process.wait()


def start(program: list[str], study: MadeStudy, name: str) -> subprocess.Popen[bytes]:
    with (study.folder.path / f"{name}.log").open("wb") as log:
        return subprocess.Popen(program, cwd=TESTS, stdout=log, stderr=log)


def command(*words: str, status: int = 0) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def said(study: MadeStudy, name: str) -> str:
    return (study.folder.path / f"{name}.log").read_text()


def rounds(study: MadeStudy) -> int:
    return said(study, "run").count('"event": "round"')


def broken_off(study: MadeStudy) -> int:
    """How often a connection ended under a site; at first the coordinator is not there yet.

    A coordinator whose disk stands still for half a minute ends none, and is waited for in vain.
    """
    lines = [line for name in study.sites for line in said(study, name).splitlines()]
    return sum("no connection" in line and "(ReadTimeout)" not in line for line in lines)


def shown_serial(study: MadeStudy) -> int:
    context = ssl.create_default_context(cafile=Authority(study.folder.authority).ca_certificate)
    with (
        socket.create_connection((HOST, study.port)) as plain,
        context.wrap_socket(plain, server_hostname=HOST) as tls,
    ):
        return x509.load_der_x509_certificate(
            tls.getpeercert(binary_form=True) or b""
        ).serial_number


def test_certificate_renewed_then_a_site_revoked_while_the_study_runs(
    study: MadeStudy, processes: dict[str, subprocess.Popen[bytes]]
) -> None:
    wait_for(lambda: rounds(study) >= 1, seconds=120)

    before, breaks = shown_serial(study), broken_off(study)
    told = command(BS_SERVER, "renew", str(study.folder.path), "--san", "coordinator.example.org")
    assert "127.0.0.1, coordinator.example.org" in told
    wait_for(lambda: shown_serial(study) != before, seconds=60)
    reached = rounds(study)
    wait_for(lambda: rounds(study) > reached + 1, seconds=120)
    assert broken_off(study) == breaks

    command(BS_SERVER, "revoke", "aalborg", "--study", str(study.folder.path))
    assert processes["server"].wait(120) == 1
    assert "aalborg (revoked)" in said(study, "run")
    for name in study.sites:  # the coordinator has gone; they would wait for it
        processes[name].terminate()
        processes[name].wait(120)
    logs_agree(study)
    no_key_is_anywhere(study)


def logs_agree(study: MadeStudy) -> None:
    coordinator = read_log(study.folder.audit)
    verdicts = [(entry["peer"], entry["verdict"]) for entry in coordinator.entries]
    assert ("aalborg", "revoked") in verdicts
    for name, site in study.sites.items():
        found = reconcile(read_log(site.audit).entries, coordinator.entries, site=name)
        assert found.agreed > 10
        assert found.serious == ()
    log = str(study.folder.audit)
    told = command(BS_CLIENT, "audit", str(study.sites["aachen"].path), "--reconcile", log)
    assert "Nothing is left to explain." in told
    changed = study.folder.path / "changed.jsonl"
    changed.write_text("".join(study.folder.audit.read_text().splitlines(keepends=True)[:20]))
    told = command(
        BS_CLIENT, "audit", str(study.sites["aachen"].path), "--reconcile", str(changed), status=1
    )
    assert "the coordinator's log does not have" in told


def no_key_is_anywhere(study: MadeStudy) -> None:
    """No private key is in a log, and none was in an argument or the environment."""
    keys = [*study.folder.authority.glob("*.key"), Authority(study.folder.authority).server_key]
    secrets = [
        line
        for key in (*keys, *(site.key for site in study.sites.values()))
        for line in key.read_text().split("-----")[2].split()
    ]
    logs = [*study.folder.path.glob("*.log"), study.folder.audit, study.folder.register]
    text = "".join(path.read_text() for path in logs) + json.dumps(dict(os.environ))
    assert not any(secret in text for secret in secrets)
