"""An HTTPS proxy as hospitals have: CONNECT to where it is allowed, or a refusal."""

from __future__ import annotations

import asyncio
import threading
from types import TracebackType
from typing import Self

HOST = "127.0.0.1"
_CHUNK = 1 << 16


class ConnectProxy:
    """Listens on a free port while the context is open.

    Parameters
    ----------
    status : status line with which every CONNECT is refused, such as ``403 Forbidden``; None lets
        each through.
    """

    def __init__(self, *, status: str | None = None) -> None:
        self._status = status
        self._loop = asyncio.new_event_loop()
        self._listening = threading.Event()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="connect-proxy", daemon=True)
        self.port = 0
        self.asked: list[str] = []  # what each CONNECT named

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

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

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._carry, HOST, 0)
        self.port = int(server.sockets[0].getsockname()[1])
        self._listening.set()
        await self._stop.wait()
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        method, target, _ = head.split(b"\r\n")[0].decode("ascii").split(" ")
        self.asked.append(target if method == "CONNECT" else f"{method} {target}")
        if self._status is not None or method != "CONNECT":
            status = self._status or "405 Method Not Allowed"
            writer.write(f"HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n".encode())
            await writer.drain()
            writer.close()
            return
        host, _, port = target.rpartition(":")
        far_reader, far_writer = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
    except OSError:  # either side may cut the connection
        pass
    finally:
        writer.close()
