"""The result of a check as numbers."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path

from pydicom import Dataset
from rich.console import Console

from bs_client.check.inspection import Inspection
from bs_client.check.report import as_json, failed_report, make_report
from bs_client.check.source import Source
from bs_client.check.table import render

Look = Callable[..., tuple[Inspection, list[str]]]
MakeScan = Callable[..., Path]


def invert(dataset: Dataset) -> None:
    pixels = dataset.pixel_array
    dataset.PixelData = (pixels.max() - pixels).tobytes()
    dataset.PhotometricInterpretation = "MONOCHROME1"


def test_files_and_studies_are_counted_by_code(
    make_scan: MakeScan, look: Look, source: Source
) -> None:
    make_scan(1)
    make_scan(2, invert)
    make_scan(3, lambda dataset: setattr(dataset, "PixelData", bytes(len(dataset.PixelData))))
    make_scan(4, lambda dataset: setattr(dataset, "Modality", "CT"))

    report = make_report(source, look()[0])

    assert report.accepted == 2
    assert report.refused == {"E_BLANK": 1, "E_MODALITY": 1}
    assert report.warned == report.scans_warned == {"W_MONO1_INVERTED": 1}
    assert report.studies_refused == (("E_BLANK", 1),)
    assert report.ready


def test_equal_pixels_under_two_studies_are_duplicates(
    make_scan: MakeScan, look: Look, source: Source
) -> None:
    make_scan(1)
    make_scan(2)

    def as_the_first(dataset: Dataset) -> None:
        pixels = dataset.pixel_array.copy()
        pixels[:, 0, 0] -= 2  # scan 3 has 3 counts more in this pixel, scan 1 has 1
        dataset.PixelData = pixels.tobytes()

    make_scan(3, as_the_first)

    report = make_report(source, look()[0])

    assert [[one.study_uid for one in group] for group in report.duplicates] == [["1.2.1", "1.2.3"]]


def test_nothing_accepted_is_a_reason(look: Look, source: Source) -> None:
    report = make_report(source, look()[0])

    assert not report.ready
    assert "No scan was accepted" in report.reasons[0]


def test_several_scans_without_a_study_uid_are_remarked_on(
    make_scan: MakeScan, look: Look, source: Source
) -> None:
    for number in (1, 2):
        make_scan(number, lambda dataset: dataset.pop("StudyInstanceUID"))

    report = make_report(source, look()[0])

    assert any("2 accepted scans state no Study Instance UID" in text for text in report.remarks)


def test_the_plain_values_name_each_file_once_and_agree_with_the_counts(
    make_scan: MakeScan, look: Look, source: Source
) -> None:
    make_scan(1, invert)
    (source.scans / "note.txt").write_text("x")

    values = json.loads(json.dumps(as_json(make_report(source, look()[0]), page=None)))

    found = {Path(one["file"]).name: (one["verdict"], one["warnings"]) for one in values["files"]}
    assert found == {
        "001.dcm": ("accepted", ["W_MONO1_INVERTED"]),
        "note.txt": ("E_NOT_DICOM", []),
    }
    assert (values["accepted"], values["refused"]) == (1, {"E_NOT_DICOM": 1})


def test_a_check_that_could_not_begin_has_the_same_plain_values(look: Look, source: Source) -> None:
    begun = as_json(make_report(source, look()[0]), page=None)

    failed = as_json(failed_report("no such folder"), page=None)

    assert failed.keys() == begun.keys()
    assert (failed["ready"], failed["reasons"], failed["files"]) == (False, ["no such folder"], [])


def test_the_tables_tell_codes_and_remedies_and_no_name(
    make_scan: MakeScan, look: Look, source: Source
) -> None:
    make_scan(1, invert)
    make_scan(2, lambda dataset: setattr(dataset, "Modality", "CT"))
    console = Console(file=StringIO(), width=200)

    console.print(render(make_report(source, look()[0])))

    shown = console.file.getvalue()  # type: ignore[attr-defined] # a StringIO
    assert "2 files: 1 accepted, 1 refused" in shown
    assert "Export the planar bone scan" in shown
    assert "Check on the contact sheet that bone is bright." in shown
    assert not any(name in shown for name in ("1.2.1", "P1", ".dcm"))
