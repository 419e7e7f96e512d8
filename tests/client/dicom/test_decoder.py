"""The decode worker: death, silence and nonsense cost one scan."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file

from bs_client.dicom.decoder import Decoder
from bs_common.errors import ScanRefused

SCAN = Path(str(get_testdata_file("JPEG2000.dcm")))
PIXELS = 1024 * 256


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    one = Decoder()
    yield one
    one.close()


def test_the_worker_decodes_as_pydicom_does(decoder: Decoder) -> None:
    decoded = decoder.decode(SCAN, frames=1, pixels=PIXELS)

    np.testing.assert_array_equal(decoded, dcmread(SCAN).pixel_array)
    assert decoded.min() == -30


@pytest.mark.slow
def test_a_killed_worker_is_started_again(decoder: Decoder) -> None:
    decoder.decode(SCAN, frames=1, pixels=PIXELS)
    process = decoder._process
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    process.wait()

    assert decoder.decode(SCAN, frames=1, pixels=PIXELS).size == PIXELS


def test_pixels_of_another_size_than_stated_are_refused(decoder: Decoder) -> None:
    with pytest.raises(ScanRefused) as caught:
        decoder.decode(SCAN, frames=1, pixels=PIXELS + 1)

    assert caught.value.refusal == "E_DECODE"


@pytest.mark.parametrize(
    "program",
    [
        "import os; os.abort()",
        "input(); import time; time.sleep(60)",
        "input(); print('nonsense')",
        "input(); print('[]')",
        "input(); print('x' * 10000)",
    ],
    ids=["crash", "hang", "nonsense", "wrong answer", "endless line"],
)
def test_a_failing_worker_refuses_the_scan(program: str) -> None:
    failing = Decoder((sys.executable, "-c", program), timeout_s=0.5)

    with pytest.raises(ScanRefused) as caught:
        failing.decode(SCAN, frames=1, pixels=PIXELS)

    failing.close()
    assert caught.value.refusal == "E_DECODE"


@pytest.mark.slow
def test_ingest_and_its_worker_do_not_load_tensorflow() -> None:
    program = (
        "import sys, bs_client.dicom, bs_client.dicom.decode_worker;"
        "sys.exit(any(name in sys.modules for name in ('tensorflow', 'keras')))"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
