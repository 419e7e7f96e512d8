"""Valid scans damaged in every way: a verdict each, no crash, no hang, no identifier in a reason.

The short form runs with the other tests. The long one takes its number of cases from
FUZZ_CASES (20,000 unless told) and says what came of them:
``pytest -m soak -s tests/client/dicom/test_fuzz.py``.
"""

from __future__ import annotations

import os
import resource
import struct
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.data import get_testdata_file
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless

from bs_client.data.preprocess import prepare
from bs_client.dicom import IngestSettings, Refusal, find_studies, inspect_study
from bs_client.dicom.decoder import shared_decoder
from bs_client.phantom.nm_object import encoded, nm_objects
from bs_client.phantom.site_style import STYLES
from bs_client.phantom.study import draw_study
from bs_common.settings import Preprocessing

SECRET = "SECRETNAME"  # patient's name and id in every seed
VERDICTS = {"accepted", *(code.value for code in Refusal)}
SHORT_CASES = 300
LONG_CASES = int(os.environ.get("FUZZ_CASES", "20000"))
MAX_OWN_MB = 2048  # one file is at most 512 MB as bytes and as pixels

# Elements that the rules read, as (group, element, VR).
ELEMENTS = (
    (0x0002, 0x0010, b"UI"),  # transfer syntax
    (0x0008, 0x0005, b"CS"),  # character set
    (0x0008, 0x0008, b"CS"),  # image type
    (0x0008, 0x0016, b"UI"),  # SOP class
    (0x0008, 0x0022, b"DA"),
    (0x0008, 0x0032, b"TM"),
    (0x0008, 0x0060, b"CS"),  # modality
    (0x0010, 0x0020, b"LO"),  # patient id
    (0x0020, 0x000D, b"UI"),  # study
    (0x0028, 0x0002, b"US"),  # samples per pixel
    (0x0028, 0x0004, b"CS"),  # photometric interpretation
    (0x0028, 0x0008, b"IS"),  # frames
    (0x0028, 0x0009, b"AT"),
    (0x0028, 0x0010, b"US"),  # rows
    (0x0028, 0x0011, b"US"),  # columns
    (0x0028, 0x0030, b"DS"),  # spacing
    (0x0028, 0x0100, b"US"),  # bits allocated
    (0x0028, 0x0101, b"US"),
    (0x0028, 0x0102, b"US"),
    (0x0028, 0x0103, b"US"),  # sign
    (0x0054, 0x0010, b"US"),  # energy window of each frame
    (0x0054, 0x0011, b"US"),
    (0x0054, 0x0020, b"US"),  # detector of each frame
    (0x0054, 0x0022, b"SQ"),
    (0x0054, 0x0220, b"SQ"),
    (0x7FE0, 0x0010, b"OW"),
)
VRS = (b"AT", b"CS", b"DS", b"FD", b"IS", b"LO", b"OB", b"OW", b"SQ", b"UI", b"UN", b"US", b"??")
LENGTHS = (0, 1, 2, 3, 7, 255, 2**15, 2**16 - 1, 2**24, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1)
NUMBERS = (0, 1, 2, 3, 4, 8, 12, 16, 32, 64, 128, 180, 255, 256, 257, 512, 1024, 65535)
VALUES = (
    b"",
    b"\0\0",
    b"\xff\xff",
    b"1\\2\\3\\4 ",
    b"NaN ",
    b"1e400 ",
    b"-1",
    b"99999999999999999999",
    b"NM",
    b"MONOCHROME1 ",
    b"WHOLE BODY\\WHOLE BODY\\WHOLE BODY\\X ",
    b"\\" * 5000,
    b"ISO 2022 IR 87\\ISO_IR 192\\none",
    b"1.2.840.10008.1.2.4.90\0",
    b"1.2.840.10008.1.2.1.99",
    b"\xe5\xbe\x8c\xff\xfe",
    b"2" * 70000,
)

Change = Callable[[bytes], bytes]


@dataclass
class Tally:
    """What came of the cases so far; the long form prints it."""

    verdicts: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0


@pytest.fixture
def seeds(make_object: Callable[..., Dataset]) -> list[bytes]:
    """Give valid files: small ones in four syntaxes, a real one, and one of each vendor."""
    small = [make_object("anterior", "posterior"), make_object("anterior")]
    for syntax in (ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, RLELossless):
        dataset = make_object("posterior", "anterior")
        if syntax == RLELossless:
            dataset.compress(syntax, encoding_plugin="pydicom")
        dataset.file_meta.TransferSyntaxUID = syntax
        small.append(dataset)
    for dataset in small:
        dataset.PatientName = dataset.PatientID = SECRET
    real = Path(str(get_testdata_file("JPEG2000.dcm"))).read_bytes()
    phantoms = [
        encoded(dataset)
        for style in STYLES.values()
        for dataset in nm_objects(
            draw_study(5, 1, style=style, label=True, preset="realistic", patient_number=1)
        ).values()
    ]
    return [*map(_file_bytes, small), real, *phantoms]


def _file_bytes(dataset: Dataset) -> bytes:
    content = BytesIO()
    dataset.save_as(content, enforce_file_format=True)
    return content.getvalue()


places = st.one_of(
    st.integers(0, 4000),  # the header
    st.integers(300, 1500),
    st.integers(0, 2**31),  # anywhere: taken modulo the length
)
snippets = st.one_of(st.binary(min_size=1, max_size=64), st.sampled_from(VALUES))


def overwrite(place: int, new: bytes) -> Change:
    def change(content: bytes) -> bytes:
        at = place % (len(content) + 1)
        return content[:at] + new + content[at + len(new) :]

    return change


def replace(place: int, length: int, new: bytes) -> Change:
    """Cut a piece out and put another one in; either may be empty."""

    def change(content: bytes) -> bytes:
        at = place % (len(content) + 1)
        return content[:at] + new + content[at + length :]

    return change


def truncate(place: int) -> Change:
    return lambda content: content[: place % (len(content) + 1)]


def repeat(place: int, length: int) -> Change:
    def change(content: bytes) -> bytes:
        at = place % (len(content) + 1)
        return content[: at + length] + content[at:]

    return change


def restate(element: tuple[int, int, bytes], vr: bytes, value: bytes, length: int | None) -> Change:
    """Give an element another VR, value and stated length (None: the true one)."""
    group, number, _ = element
    tag = struct.pack("<HH", group, number)

    def change(content: bytes) -> bytes:
        at = content.find(tag, 132)
        if at < 0:
            return content
        stated = len(value) if length is None else length
        long = content[at + 4 : at + 6] in (b"OB", b"OW", b"SQ", b"UN")
        old = 12 if long else 8 + int.from_bytes(content[at + 6 : at + 8], "little") % 4096
        if vr in (b"OB", b"OW", b"SQ", b"UN"):
            head = vr + b"\0\0" + struct.pack("<I", stated % 2**32)
        else:
            head = vr + struct.pack("<H", stated % 2**16)
        return content[:at] + tag + head + value + content[at + old :]

    return change


def within_its_kind(element: tuple[int, int, bytes]) -> st.SearchStrategy[Change]:
    """Draw another value of the element's own kind, which passes most checks of form."""
    vr = element[2]
    numbers = st.lists(st.sampled_from(NUMBERS), max_size=4)
    if vr == b"US":
        values = numbers.map(lambda drawn: struct.pack(f"<{len(drawn)}H", *drawn))
    else:
        values = st.one_of(numbers.map(lambda drawn: "\\".join(map(str, drawn)).encode()), snippets)
    return st.builds(restate, st.just(element), st.just(vr), values, st.none())


elements = st.sampled_from(ELEMENTS)
changes = st.lists(
    st.one_of(
        st.sampled_from(ELEMENTS[1:]).flatmap(within_its_kind),
        st.sampled_from(ELEMENTS[1:]).flatmap(within_its_kind),
        st.builds(restate, elements, st.sampled_from(VRS), snippets, st.none()),
        st.builds(restate, elements, st.sampled_from(VRS), snippets, st.sampled_from(LENGTHS)),
        st.builds(overwrite, places, snippets),
        st.builds(overwrite, places, st.sampled_from(LENGTHS).map(lambda n: struct.pack("<I", n))),
        st.builds(replace, places, st.integers(0, 3000), st.one_of(st.just(b""), snippets)),
        st.builds(truncate, places),
        st.builds(repeat, places, st.integers(0, 3000)),
    ),
    min_size=1,
    max_size=4,
)
own_settings = st.builds(
    IngestSettings,
    assume_detector1_anterior=st.booleans(),
    split_side_by_side=st.booleans(),
    accept_wrap8=st.booleans(),
    flip_mirrored_posterior=st.booleans(),
)


def assert_verdict(file: Path, content: bytes, ingest: IngestSettings, tally: Tally) -> None:
    """Read a file as `check` and training do; it must end in one known verdict."""
    file.write_bytes(content)
    started = time.monotonic()
    index = find_studies(file)
    verdicts = list(index.verdicts)
    for study in index.studies:
        reading = inspect_study(study.files, ingest)
        verdicts += reading.verdicts
        if reading.scan is not None:
            counts = reading.scan.anterior.counts, reading.scan.posterior.counts
            for profile in get_args(Preprocessing):
                prepare(*counts, height=64, width=32, profile=profile)
    tally.slowest_s = max(tally.slowest_s, time.monotonic() - started)
    assert len(verdicts) == 1
    assert verdicts[0].verdict in VERDICTS
    assert SECRET not in verdicts[0].reason
    tally.verdicts[verdicts[0].verdict] += 1


def damage(seed: bytes, steps: list[Change]) -> bytes:
    for step in steps:
        seed = step(seed)
    return seed


def fuzz(cases: int, seeds: list[bytes], file: Path, *, repeatable: bool) -> Tally:
    """Run the cases; a failing one is made small and shown by Hypothesis."""
    tally = Tally()
    # Small files, which take milliseconds, more often than the real one and the phantoms.
    numbers = st.one_of(*[st.integers(0, 4)] * 3, st.integers(0, len(seeds) - 1))

    @settings(
        max_examples=cases,
        deadline=None,
        database=None,
        derandomize=repeatable,
        print_blob=True,
        phases=(Phase.explicit, Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(numbers, changes, own_settings)
    def case(number: int, steps: list[Change], ingest: IngestSettings) -> None:
        assert_verdict(file, damage(seeds[number], steps), ingest, tally)

    case()
    return tally


@pytest.mark.slow
def test_damaged_scans_end_in_a_verdict(seeds: list[bytes], tmp_path: Path) -> None:
    tally = fuzz(SHORT_CASES, seeds, tmp_path / "damaged", repeatable=True)

    # Neither all refused at the first rule nor all untouched: the damage reaches deep.
    assert len(tally.verdicts) >= 8
    assert tally.verdicts.total() >= SHORT_CASES


@pytest.mark.soak
@pytest.mark.timeout(4 * 3600)
def test_very_many_damaged_scans_end_in_a_verdict_within_memory(
    seeds: list[bytes], tmp_path: Path
) -> None:
    tally = fuzz(LONG_CASES, seeds, tmp_path / "damaged", repeatable=False)

    shared_decoder().close()  # so that its memory is accounted for
    own_mb, decoder_mb = (
        resource.getrusage(who).ru_maxrss // 1024
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    sys.stdout.write(
        f"\n{tally.verdicts.total()} cases, slowest {tally.slowest_s:.1f} s, "
        f"peak memory {own_mb} MB, of the decoders {decoder_mb} MB\n"
    )
    for verdict, number in tally.verdicts.most_common():
        sys.stdout.write(f"{number:8d} {verdict}\n")
    assert tally.verdicts.total() >= LONG_CASES
    assert own_mb < MAX_OWN_MB
