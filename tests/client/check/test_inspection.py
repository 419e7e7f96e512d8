"""Everything under a folder, and what a second look costs."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom import Dataset
from pydicom.uid import JPEGBaseline8Bit

from bs_client.check.inspection import PICTURES, Inspection
from bs_client.check.ledger import LEDGER_NAME
from bs_client.check.source import Source
from bs_client.dicom import IngestSettings

Look = Callable[..., tuple[Inspection, list[str]]]
MakeScan = Callable[..., Path]


def verdicts(inspection: Inspection) -> dict[str, str]:
    return {one.file.name: one.verdict for one in inspection.verdicts}


def test_every_file_has_one_verdict(make_scan: MakeScan, look: Look, source: Source) -> None:
    make_scan(1)
    whole = make_scan(2).read_bytes()
    (source.scans / "cut.dcm").write_bytes(whole[: len(whole) // 2])
    (source.scans / "note.dcm").write_text("not a scan")
    (source.scans / "gone").symlink_to(source.scans / "nowhere")

    inspection, _ = look()

    assert verdicts(inspection) == {
        "001.dcm": "accepted",
        "002.dcm": "accepted",
        "cut.dcm": "E_TRUNCATED",
        "gone": "E_NOT_DICOM",
        "note.dcm": "E_NOT_DICOM",
    }


def test_a_second_look_reads_no_file_and_finds_the_same(make_scan: MakeScan, look: Look) -> None:
    for number in (1, 2):
        make_scan(number)
    first, work = look()
    assert sorted(work) == ["classify_file"] * 2 + ["read_record"] * 2

    second, work = look()

    assert work == []
    assert second.studies == first.studies
    assert (first.remembered, second.remembered) == (0, 2)


def test_only_a_changed_file_is_read_again(make_scan: MakeScan, look: Look) -> None:
    for number in (1, 2):
        make_scan(number)
    look()
    make_scan(2, lambda dataset: setattr(dataset, "Modality", "CT"))

    inspection, work = look()

    assert work == ["classify_file"]
    assert verdicts(inspection) == {"001.dcm": "accepted", "002.dcm": "E_MODALITY"}


def test_equal_bytes_with_another_time_are_read_again(make_scan: MakeScan, look: Look) -> None:
    file = make_scan(1)
    look()
    os.utime(file, ns=(0, 0))

    _, work = look()

    assert work == ["classify_file", "read_record"]


def test_a_changed_setting_reads_everything_again(
    make_scan: MakeScan, look: Look, source: Source
) -> None:
    make_scan(1)
    look()

    for changed in (
        replace(source, ingest=IngestSettings(accept_wrap8=True)),
        replace(source, settings=source.settings.model_copy(update={"preprocessing": "robust"})),
    ):
        _, work = look(changed)
        assert work == ["classify_file", "read_record"]


def test_a_removed_scan_leaves_neither_picture_nor_entry(
    make_scan: MakeScan, look: Look, source: Source
) -> None:
    file = make_scan(1)
    look()
    assert len(list((source.cache / PICTURES).iterdir())) == 1
    file.unlink()

    look()

    assert list((source.cache / PICTURES).iterdir()) == []
    assert "P1" not in (source.cache / LEDGER_NAME).read_text()


def test_a_lost_picture_is_made_again(make_scan: MakeScan, look: Look, source: Source) -> None:
    make_scan(1)
    look()
    (picture,) = (source.cache / PICTURES).iterdir()
    picture.unlink()

    _, work = look()

    assert work == ["read_record"]
    assert picture.exists()


@pytest.mark.parametrize("content", ["", "[]", '{"files": {"x": 1}}', "\0"])
def test_a_damaged_memory_counts_as_none(
    make_scan: MakeScan, look: Look, source: Source, content: str
) -> None:
    make_scan(1)
    (source.cache / LEDGER_NAME).write_text(content)

    inspection, _ = look()

    assert verdicts(inspection) == {"001.dcm": "accepted"}


@pytest.mark.slow
def test_a_scan_that_was_not_decoded_is_tried_again(make_scan: MakeScan, look: Look) -> None:
    def garble(dataset: Dataset) -> None:
        dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
        dataset.PixelData = b"\xfe\xff\x00\xe0\0\0\0\0\xfe\xff\x00\xe0\x04\0\0\0abcd"
        dataset["PixelData"].VR = "OB"
        dataset["PixelData"].is_undefined_length = True
        dataset.NumberOfFrames = 1

    make_scan(1, garble)
    first, _ = look()
    assert verdicts(first) == {"001.dcm": "E_DECODE"}

    _, work = look()

    assert work == ["read_record"]


def test_an_interrupted_look_goes_on_where_it_was(make_scan: MakeScan, look: Look) -> None:
    for number in (1, 2, 3):
        make_scan(number)
    with pytest.raises(KeyboardInterrupt):
        look(interrupted_after=3 + 2)  # all headers and two of three scans

    _, work = look()

    assert work == ["read_record"]


def test_a_file_name_that_is_no_text_is_checked_and_remembered(
    make_scan: MakeScan, look: Look
) -> None:
    file = make_scan(1)
    file.rename(Path(os.fsdecode(os.fsencode(file.parent) + b"/\xff.dcm")))
    look()

    inspection, work = look()

    assert work == []
    assert list(verdicts(inspection).values()) == ["accepted"]


def test_what_is_kept_is_readable_by_its_owner_alone(
    make_scan: MakeScan, look: Look, source: Source
) -> None:
    make_scan(1)

    look()

    kept = [path for path in source.cache.rglob("*") if path.is_file()]
    assert len(kept) == 2
    assert {path.stat().st_mode & 0o777 for path in kept} == {0o600}
