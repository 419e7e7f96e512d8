"""The coordinator as a real process: looked at, paused, stopped, and started again."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from bs_common.settings import Role, StudySettings
from bs_common.toml import write_toml
from support.real_study import PROGRAMS
from support.study_maker import MadeStudy, make_study

pytestmark = pytest.mark.integration

SETTINGS = StudySettings(name="wire", backbone="random:1", trainable="head", rounds=3)
ROLES: dict[str, Role] = {"aachen": "train", "namur": "evaluate"}
SERVER = str(PROGRAMS / "bs-server")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> MadeStudy:
    """A study whose sites never come, with a health service."""
    made = make_study(tmp_path_factory.mktemp("orderly"), SETTINGS, ROLES)
    file = made.folder.read()
    health = file.health.model_copy(update={"address": f"unix:{made.folder.path}/health.sock"})
    write_toml(made.folder.study_file, file.model_copy(update={"health": health}))
    return made


class Coordinator:
    """`bs-server run` with its events."""

    def __init__(self, study: MadeStudy, *options: str) -> None:
        self.folder = study.folder
        self.log = self.folder.path / f"run-{time.monotonic_ns()}.log"
        command = [SERVER, "run", str(self.folder.path), "--json", *options]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)

    def events(self) -> list[dict[str, Any]]:
        lines = self.log.read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def wait_for(self, event: str) -> dict[str, Any]:
        assert becomes(lambda: any(e["event"] == event for e in self.events())), (
            self.log.read_text()
        )
        return next(e for e in self.events() if e["event"] == event)


@pytest.fixture
def coordinator(study: MadeStudy) -> Iterator[Coordinator]:
    running = Coordinator(study, "--status-port", "0")
    running.wait_for("waiting")
    yield running
    running.process.kill()
    running.process.wait(10)


def becomes(claim: Callable[[], bool], *, seconds: float = 150) -> bool:
    end = time.monotonic() + seconds
    while not claim() and time.monotonic() < end:
        time.sleep(0.05)
    return claim()


def call(command: str, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    words = [SERVER, command, str(folder), *options]
    return subprocess.run(words, capture_output=True, text=True, timeout=90, check=False)


def test_a_running_coordinator_can_be_looked_at_from_everywhere(coordinator: Coordinator) -> None:
    folder = coordinator.folder.path

    seen = json.loads(call("status", folder, "--json").stdout)
    page = httpx.get(coordinator.wait_for("status_page")["address"], timeout=30)
    with grpc.insecure_channel(f"unix:{folder}/health.sock") as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        health = stub.Check(health_pb2.HealthCheckRequest(), timeout=30)

    assert seen["condition"] == "running"
    assert seen["owner"]["pid"] == coordinator.process.pid
    assert {site["name"]: site["state"] for site in seen["sites"]} == dict.fromkeys(ROLES, "away")
    assert "waiting for sites" in page.text
    assert health.status == health_pb2.HealthCheckResponse.SERVING


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order_within_ten_seconds_also_while_it_waits(
    coordinator: Coordinator, number: signal.Signals
) -> None:
    coordinator.process.send_signal(number)

    assert coordinator.process.wait(timeout=10) == 0
    assert coordinator.events()[-1]["event"] == "stopped"


def test_a_second_instance_is_refused_and_a_stop_ends_the_first(coordinator: Coordinator) -> None:
    folder = coordinator.folder.path

    second = call("run", folder)
    stopped = call("stop", folder)

    assert second.returncode == 1
    assert f"process {coordinator.process.pid}" in second.stderr
    assert stopped.returncode == 0, stopped.stderr
    assert coordinator.process.wait(timeout=10) == 0
    assert json.loads(call("status", folder, "--json").stdout)["phase"] == "stopped"


def test_after_kill_9_it_is_known_not_to_run_and_starts_again_at_once(
    study: MadeStudy, coordinator: Coordinator
) -> None:
    coordinator.process.kill()
    coordinator.process.wait(10)

    assert json.loads(call("status", study.folder.path, "--json").stdout)["condition"] == (
        "not running"
    )
    again = Coordinator(study)
    again.wait_for("waiting")
    again.process.terminate()
    assert again.process.wait(timeout=10) == 0
