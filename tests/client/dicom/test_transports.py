"""However a scan's bytes are carried, the same counts come out, or one clear code."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmwrite
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLSLossless,
    RLELossless,
)

from bs_client.dicom import IngestSettings, inspect_study

Write = Callable[[Dataset], bytes]


def written(dataset: Dataset, syntax: UID = ExplicitVRLittleEndian) -> bytes:
    content = BytesIO()
    dataset.file_meta.TransferSyntaxUID = syntax
    dcmwrite(content, dataset, enforce_file_format=True)
    return content.getvalue()


def big_endian(dataset: Dataset) -> bytes:
    dataset.PixelData = np.frombuffer(dataset.PixelData, "<u2").astype(">u2").tobytes()
    return written(dataset, ExplicitVRBigEndian)


def compressed(syntax: UID, plugin: str) -> Write:
    def write(dataset: Dataset) -> bytes:
        dataset.compress(syntax, encoding_plugin=plugin)
        return written(dataset, syntax)

    return write


def mislabelled(true: UID, stated: UID) -> Write:
    """Write in one syntax and say that it is another, as some gateways do."""

    def write(dataset: Dataset) -> bytes:
        content = written(dataset, true)
        old, new = (uid.encode() + b"\0" * (len(uid) % 2) for uid in (true, stated))
        place = content.index(old)
        length = len(new).to_bytes(2, "little")
        head = content[: place - 2] + length + new
        # The group length, 12 bytes behind the prefix, counts the change (PS3.10 section 7.1).
        group = int.from_bytes(head[140:144], "little") + len(new) - len(old)
        return head[:140] + group.to_bytes(4, "little") + head[144:] + content[place + len(old) :]

    return write


def with_private_noise(dataset: Dataset) -> bytes:
    block = dataset.private_block(0x0033, "SIEMENS MED NM", create=True)
    block.add_new(0x01, "OB", bytes(range(256)) * 400)
    return written(dataset)


TRANSPORTS: dict[str, Write] = {
    "implicit VR": lambda dataset: written(dataset, ImplicitVRLittleEndian),
    "big endian": big_endian,
    "deflated": lambda dataset: written(dataset, DeflatedExplicitVRLittleEndian),
    "run lengths": compressed(RLELossless, "pydicom"),
    "explicit VR called implicit": mislabelled(ExplicitVRLittleEndian, ImplicitVRLittleEndian),
    "implicit VR called explicit": mislabelled(ImplicitVRLittleEndian, ExplicitVRLittleEndian),
    "without preamble and prefix": lambda dataset: written(dataset)[132:],
    "zeros behind the pixels": lambda dataset: written(dataset) + bytes(4096),
    "a large private element": with_private_noise,
}


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_the_same_counts_come_out_of_every_transport(
    transport: str, make_object: Callable[..., Dataset], tmp_path: Path
) -> None:
    plain, carried = tmp_path / "plain", tmp_path / "no name extension at all"
    plain.write_bytes(written(make_object("anterior", "posterior")))
    carried.write_bytes(TRANSPORTS[transport](make_object("anterior", "posterior")))

    first, second = (inspect_study([file], IngestSettings()).scan for file in (plain, carried))

    assert first is not None and second is not None
    assert first.pixel_sha256 == second.pixel_sha256


@pytest.mark.parametrize("compressed_as", [JPEGLSLossless, RLELossless])
def test_plain_pixels_that_are_called_compressed_are_not_decoded(
    compressed_as: UID, make_object: Callable[..., Dataset], tmp_path: Path
) -> None:
    file = tmp_path / "scan"
    file.write_bytes(
        mislabelled(ExplicitVRLittleEndian, compressed_as)(make_object("anterior", "posterior"))
    )

    (verdict,) = inspect_study([file], IngestSettings()).verdicts

    assert verdict.verdict == "E_DECODE"
