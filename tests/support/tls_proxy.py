"""A party between sites and coordinator that ends TLS on both sides and keeps all it sees.

It can do so only because the test hands it a certificate of the study's own authority.
"""

from __future__ import annotations

import asyncio
import datetime
import shutil
import ssl
import threading
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from bs_common.files import write_atomic
from bs_server.trust.authority import Authority, issue_server_certificate
from support.http_stream import HttpMessage, read_messages
from support.study_maker import HOST, MadeStudy

_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Exchanged:
    """One request of a site and the coordinator's response to it."""

    request: HttpMessage
    response: HttpMessage


@dataclass(frozen=True, slots=True)
class _Connection:
    up: bytearray = field(default_factory=bytearray)
    down: bytearray = field(default_factory=bytearray)


class TlsProxy:
    """Listens on `port`, which the sites of the study dial, while the context is open."""

    def __init__(self, study: MadeStudy, port: int) -> None:
        own = _own_authority(study)
        self._shown = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._shown.load_cert_chain(own.server_certificate, own.server_key)
        self._trusted = ssl.create_default_context(cafile=own.ca_certificate)
        self._ports = (port, study.port)
        self._connections: list[_Connection] = []
        self._loop = asyncio.new_event_loop()
        self._listening = threading.Event()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="tls-proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._listening.wait(timeout=10):
            raise RuntimeError("the proxy does not listen")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(timeout=10)

    def exchanged(self) -> list[Exchanged]:
        """Give every answered request of every connection, in order within a connection."""
        return [
            Exchanged(request, response)
            for connection in self._connections
            for request, response in zip(
                read_messages(bytes(connection.up)),
                read_messages(bytes(connection.down)),
                strict=False,  # the last request of a cut connection has no response
            )
        ]

    def upward(self) -> list[bytes]:
        """Give every byte that sites sent, decrypted: one stream a connection, heads included."""
        return [bytes(connection.up) for connection in self._connections]

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        port, _ = self._ports
        server = await asyncio.start_server(self._carry, HOST, port, ssl=self._shown)
        self._listening.set()
        await self._stop.wait()
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, port = self._ports
        try:
            far_reader, far_writer = await asyncio.open_connection(HOST, port, ssl=self._trusted)
        except OSError:  # the coordinator does not listen yet; the site tries again
            writer.close()
            return
        connection = _Connection()
        self._connections.append(connection)
        await asyncio.gather(
            _pump(reader, far_writer, connection.up), _pump(far_reader, writer, connection.down)
        )


async def _pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kept: bytearray
) -> None:
    try:
        while data := await reader.read(_CHUNK):
            kept += data
            writer.write(data)
            await writer.drain()
    except OSError:  # either side may cut the connection
        pass
    finally:
        writer.close()


def _own_authority(study: MadeStudy) -> Authority:
    """Let the study's authority issue a certificate for the proxy, in a folder beside it."""
    folder = study.folder.path.parent / "proxy"
    folder.mkdir(mode=0o700)
    given, own = Authority(study.folder.authority), Authority(folder)
    shutil.copy(given.ca_certificate, own.ca_certificate)
    write_atomic(own.ca_key, given.ca_key.read_bytes(), mode=0o600)
    issue_server_certificate(own, names=[HOST], now=datetime.datetime.now(datetime.UTC))
    return own
