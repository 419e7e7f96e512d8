"""The health service, asked by gRPC's own client as a probe would."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from pydantic import ValidationError

from bs_common.errors import ConfigError
from bs_common.health import HealthService, HealthSettings

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


def ask(address: str) -> int:
    with grpc.insecure_channel(address) as channel:
        request = health_pb2.HealthCheckRequest()
        return int(health_pb2_grpc.HealthStub(channel).Check(request, timeout=5).status)


def becomes(claim: Callable[[], bool]) -> bool:
    end = time.monotonic() + 10
    while not claim() and time.monotonic() < end:
        time.sleep(0.05)
    return claim()


@pytest.mark.parametrize(("well", "status"), [(True, SERVING), (False, NOT_SERVING)])
def test_a_probe_gets_what_the_party_says_of_itself(well: bool, status: int) -> None:
    with HealthService("127.0.0.1:0", lambda: well) as service:
        assert ask(f"127.0.0.1:{service.port}") == status


def test_a_unix_socket_serves_too_and_a_left_over_one_is_no_hindrance(tmp_path: Path) -> None:
    address = f"unix:{tmp_path}/health.sock"

    for _ in range(2):
        with HealthService(address, lambda: True):
            assert ask(address) == SERVING


def test_the_answer_follows_the_party() -> None:
    state = {"well": True}
    with HealthService("127.0.0.1:0", lambda: state["well"]) as service:
        state["well"] = False

        assert becomes(lambda: ask(f"127.0.0.1:{service.port}") == NOT_SERVING)


def test_a_party_that_cannot_say_is_not_well() -> None:
    def broken() -> bool:
        raise RuntimeError

    with HealthService("127.0.0.1:0", broken) as service:
        assert ask(f"127.0.0.1:{service.port}") == NOT_SERVING


@pytest.mark.parametrize(
    "address", ["127.0.0.1:8081", "[::1]:8081", "localhost:8081", "unix:/run/x", None]
)
def test_a_local_address_is_accepted(address: str | None) -> None:
    assert HealthSettings(address=address).address == address


@pytest.mark.parametrize(
    "address",
    ["0.0.0.0:8081", "10.0.0.1:8081", "host:8081", "127.0.0.1", "unix:", "127.0.0.1:99999"],
)
def test_an_address_that_others_could_reach_is_refused(address: str) -> None:
    with pytest.raises(ValidationError, match="loopback"):
        HealthSettings(address=address)


def test_an_address_in_use_is_named() -> None:
    with (
        HealthService("127.0.0.1:0", lambda: True) as service,
        pytest.raises(ConfigError, match=f"127.0.0.1:{service.port}"),
    ):
        HealthService(f"127.0.0.1:{service.port}", lambda: True)
