"""Decode compressed pixels through a worker process with limits of time and memory."""

from __future__ import annotations

import atexit
import json
import math
import select
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from bs_client.dicom.codes import Refusal, refused
from bs_common.errors import ScanRefused

WORKER_COMMAND = (sys.executable, "-m", "bs_client.dicom.decode_worker")
TIMEOUT_S = 60.0  # a whole-body scan takes well below one second
MAX_HEAD_BYTES = 4096


class WorkerLost(Exception):
    """The worker died, hung or answered nonsense; never leaves this module."""


class Decoder:
    """A long-lived decode worker, started when needed and again after its death.

    Parameters
    ----------
    command : starts a process that speaks the protocol of `decode_worker`.
    timeout_s : longest time for one object; after it the worker is killed.
    """

    def __init__(
        self, command: Sequence[str] = WORKER_COMMAND, *, timeout_s: float = TIMEOUT_S
    ) -> None:
        self._command = tuple(command)
        self._timeout_s = timeout_s
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def decode(self, file: Path, *, frames: int, pixels: int) -> NDArray[np.generic]:
        """Decode one file.

        Parameters
        ----------
        frames : number of frames that the header states.
        pixels : rows x columns x frames that the header states; another size is refused.

        Raises
        ------
        ScanRefused
            E_DECODE if the pixels cannot be decoded within the limits, E_FRAME_COUNT if the
            stream holds another number of frames.
        """
        with self._lock:
            try:
                return self._ask({"file": str(file.absolute()), "frames": frames}, pixels)
            except ScanRefused:
                raise
            except WorkerLost as error:
                self.close()
                raise refused(Refusal.E_DECODE, f"no pixels from the decoder ({error})") from None
            except (OSError, ValueError, KeyError, TypeError) as error:
                self.close()
                received = f"no pixels from the decoder ({type(error).__name__})"
                raise refused(Refusal.E_DECODE, received) from None
            except BaseException:
                # Interrupted: a late answer must not be taken for the next scan's.
                self.close()
                raise

    def close(self) -> None:
        """End the worker."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    def _ask(self, request: dict[str, object], pixels: int) -> NDArray[np.generic]:
        deadline = time.monotonic() + self._timeout_s
        process = self._running()
        assert process.stdin is not None and process.stdout is not None  # noqa: S101 (pipes)
        process.stdin.write(json.dumps(request).encode() + b"\n")
        process.stdin.flush()
        head = json.loads(_read_line(process.stdout, deadline))
        if "refusal" in head:
            refusal = Refusal[head["refusal"]]
            raise ScanRefused(refusal.value, str(head["message"]), remedy=refusal.remedy)
        dtype, shape = np.dtype(head["dtype"]), tuple(head["shape"])
        if dtype.kind not in "iu" or math.prod(shape) != pixels:
            raise WorkerLost("pixels of another size than the header states")
        content = _read_exactly(process.stdout, pixels * dtype.itemsize, deadline)
        return np.frombuffer(content, dtype).reshape(shape)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self.close()
            self._process = subprocess.Popen(  # noqa: S603 (own module, fixed arguments)
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
            )
        return self._process


@cache
def shared_decoder() -> Decoder:
    """Give this process' decoder; its worker ends with the process."""
    decoder = Decoder()
    atexit.register(decoder.close)
    return decoder


def _read_line(stream: IO[bytes], deadline: float) -> bytes:
    line = bytearray()
    while not line.endswith(b"\n"):
        line += _read_exactly(stream, 1, deadline)
        if len(line) > MAX_HEAD_BYTES:
            raise WorkerLost("too long a head")
    return bytes(line)


def _read_exactly(stream: IO[bytes], length: int, deadline: float) -> bytearray:
    content = bytearray()
    while len(content) < length:
        ready, _, _ = select.select([stream], [], [], max(0, deadline - time.monotonic()))
        if not ready:
            raise WorkerLost("no answer in time")
        part = stream.read(min(length - len(content), 2**20))
        if not part:
            raise WorkerLost("process ended")
        content += part
    return content
