"""Telling systemd, containers and Kubernetes whether this party works: gRPC's health service.

The service (grpc.health.v1.Health) says SERVING or NOT_SERVING and nothing else. It has no TLS and
no sign-in, so it listens on this machine alone: a loopback address or a Unix socket.
"""

from __future__ import annotations

import ipaddress
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Annotated, Self

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from pydantic import AfterValidator, BaseModel, ConfigDict

from bs_common.errors import ConfigError

_REFRESH_S = 1.0
_STOP_S = 2.0
_THREADS = 4  # probes are few and short; a watcher costs none


def _local(address: str) -> str:
    if address.startswith("unix:") and len(address) > len("unix:"):
        return address
    host, _, port = address.rpartition(":")
    name = host.removeprefix("[").removesuffix("]")
    try:
        loopback = name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        loopback = False
    if not loopback or not port.isdecimal() or int(port) > 65535:
        raise ValueError("give a loopback address, as 127.0.0.1:8081, or unix:PATH")
    return address


LocalAddress = Annotated[str, AfterValidator(_local)]


class HealthSettings(BaseModel):
    """Where the health service listens; nowhere unless an address is given."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    address: LocalAddress | None = None


class HealthService:
    """The health of this process at one local address, while the context is open.

    Parameters
    ----------
    address : ``127.0.0.1:PORT`` or ``unix:PATH``; port 0 takes a free one, see `port`.
    is_well : asked every second from a thread; True is SERVING. It must not wait. An exception
        from it is NOT_SERVING.
    """

    def __init__(self, address: LocalAddress, is_well: Callable[[], bool]) -> None:
        self._is_well = is_well
        self._servicer = health.HealthServicer()
        self._server = grpc.server(
            ThreadPoolExecutor(_THREADS, thread_name_prefix="health"),
            options=[("grpc.so_reuseport", 0)],  # else two processes share the port unnoticed
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._servicer, self._server)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._refresh, name="health-refresh", daemon=True)
        try:
            self.port = int(self._server.add_insecure_port(address))  # loopback: nothing to hide
        except RuntimeError as error:
            raise ConfigError(
                f"The health service cannot listen on {address}.",
                remedy="Choose another address under [health], or end what listens there.",
            ) from error

    def __enter__(self) -> Self:
        self._tell()
        self._server.start()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closed.set()
        self._servicer.enter_graceful_shutdown()
        self._server.stop(grace=0.2).wait(_STOP_S)
        self._thread.join(_STOP_S)

    def _refresh(self) -> None:
        while not self._closed.wait(_REFRESH_S):
            self._tell()

    def _tell(self) -> None:
        try:
            well = self._is_well()
        except Exception:  # noqa: BLE001 - a probe that fails is the answer "not well"
            well = False
        status = health_pb2.HealthCheckResponse
        self._servicer.set("", status.SERVING if well else status.NOT_SERVING)
