"""A network between sites and coordinator that can be cut: bytes pass, are held, lost or changed.

It knows nothing of TLS, as no firewall or VPN does.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from types import TracebackType
from typing import Literal, Self

from support.study_maker import HOST

Weather = Literal["clear", "slow", "silent", "corrupt", "halve"]
_CHUNK = 1 << 16


class Relay:
    """Listens on `port` and carries every connection to `far_port` while the context is open.

    Attributes
    ----------
    weather : what happens to bytes now. ``slow`` delays each piece; ``silent`` loses all and tells
        nobody; ``corrupt`` changes a byte of each piece; ``halve`` carries half of a piece and
        hangs up.
    up, down : bytes that sites sent, and that they got, since `forget`.
    """

    def __init__(self, port: int, far_port: int) -> None:
        self.weather: Weather = "clear"
        self.up = self.down = 0
        self._far_port = far_port
        self._server = socket.create_server((HOST, port), backlog=64)
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._closed = False

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, name="relay", daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closed = True
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self.cut()

    def forget(self) -> None:
        """Count bytes from here on."""
        self.up = self.down = 0

    def cut(self) -> None:
        """Break every connection."""
        with self._lock:
            broken, self._open = self._open, set()
        for end in broken:
            _close(end)

    def _accept(self) -> None:
        while not self._closed:
            try:
                near, _ = self._server.accept()
            except OSError:
                return
            try:
                far = socket.create_connection((HOST, self._far_port), timeout=5)
            except OSError:
                _close(near)
                continue
            far.settimeout(None)
            with self._lock:
                self._open |= {near, far}
            for source, target, way in ((near, far, "up"), (far, near, "down")):
                carry = threading.Thread(target=self._carry, args=(source, target, way))
                carry.daemon = True
                carry.start()

    def _carry(self, source: socket.socket, target: socket.socket, way: str) -> None:
        try:
            while piece := source.recv(_CHUNK):
                setattr(self, way, getattr(self, way) + len(piece))
                if not self._pass(piece, target):
                    break
        except OSError:  # either side may hang up
            pass
        finally:
            for end in (source, target):
                _close(end)
                with self._lock:
                    self._open.discard(end)

    def _pass(self, piece: bytes, target: socket.socket) -> bool:
        match self.weather:
            case "silent":
                return True
            case "slow":
                time.sleep(0.2)
            case "corrupt":
                piece = piece[:-1] + bytes([piece[-1] ^ 1])
            case "halve":
                target.sendall(piece[: len(piece) // 2])
                return False
        target.sendall(piece)
        return True


def _close(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
