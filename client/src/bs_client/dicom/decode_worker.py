"""Decode compressed pixels in a process of its own: ``python -m bs_client.dicom.decode_worker``.

Native decoders may crash, hang or ask for any amount of memory on malformed streams; here that
costs one scan. Each line on standard input is a request ``{"file": ..., "frames": ...}``; the
answer is one JSON line, followed by the pixels if they could be decoded.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.encaps import parse_basic_offsets, parse_fragments

from bs_client.dicom.codes import Refusal, refused
from bs_client.dicom.dataset_file import PYDICOM_FAILURES, open_dataset
from bs_common.errors import ScanRefused

MEMORY_BYTES = 4 * 2**30  # several copies of the largest admitted image


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests until standard input ends."""
    for line in requests:
        request = json.loads(line)
        try:
            pixels = decode(Path(request["file"]), request["frames"])
        except ScanRefused as refusal:
            _send(answers, {"refusal": refusal.refusal, "message": str(refusal)}, b"")
        else:
            content = pixels.tobytes()
            shape = [int(length) for length in pixels.shape]
            _send(answers, {"dtype": pixels.dtype.str, "shape": shape}, content)


def decode(file: Path, frames: int) -> NDArray[np.generic]:
    """Decode a compressed file's frames; raises ScanRefused with E_DECODE or E_FRAME_COUNT."""
    opened = open_dataset(file, with_pixels=True)
    try:
        _check_frames(opened.dataset, frames)
        return np.ascontiguousarray(opened.dataset.pixel_array)
    except PYDICOM_FAILURES as error:
        received = f"{opened.transfer_syntax.name} ({type(error).__name__})"
        raise refused(Refusal.E_DECODE, received) from None


def _check_frames(dataset: Dataset, frames: int) -> None:
    stream = BytesIO(dataset.PixelData)
    offsets = parse_basic_offsets(stream)
    fragments, _ = parse_fragments(stream)
    stored = len(offsets) or (min(fragments, 1) if frames == 1 else fragments)
    if stored != frames:
        raise refused(Refusal.E_FRAME_COUNT, f"{stored} compressed frames, {frames} stated")


def _send(answers: BinaryIO, head: dict[str, object], content: bytes) -> None:
    answers.write(json.dumps(head).encode() + b"\n" + content)
    answers.flush()


def main() -> None:
    """Limit memory, keep standard output for answers only, and serve."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    # Native libraries print to descriptor 1; that would tear the answers apart.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
