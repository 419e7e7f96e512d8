"""DICOM results of one scan: valid by an independent validator, and where the map was hot."""

from __future__ import annotations

import hashlib
import subprocess
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import highdicom
import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset, dcmread

from bs_client.data.preprocess import Image
from bs_client.dicom import BoneScan, IngestSettings, find_studies, read_study
from bs_client.dicom.structured_report import SCHEME, StudyResult
from bs_client.phantom.nm_object import encoded, nm_objects
from bs_client.phantom.site_style import STYLES, SiteName
from bs_client.phantom.study import draw_study
from bs_client.predict.dicom_results import DicomRequest, write_dicom_results
from bs_common.errors import DataError

RESULT = StudyResult(0.83, 0.5, "demo", "ab" * 32, "cd" * 32, synthetic=True)
KINDS = ("overlay", "report", "anterior-seg", "posterior-seg", "gsps")
# A scheme of our own is allowed (PS3.16 section 8), but the validator knows the public ones only.
ALLOWED = f"Warning - Unrecognized defined term <{SCHEME}>"


@dataclass(frozen=True)
class Written:
    """Results of a scan whose anterior map is hot at rows 200-229, columns 40-59."""

    folder: Path
    scan: BoneScan
    files: dict[str, Dataset]
    unchanged: bool


@pytest.fixture(scope="module", params=sorted(STYLES))
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Everything that can be written for a scan, in the layout of each vendor."""
    folder = tmp_path_factory.mktemp("results")
    scan = phantom(tmp_path_factory.mktemp("scan"), request.param)
    before = [digest(file) for file in scan.files]
    names = write_dicom_results(folder, 1, asked(scan))
    files: dict[str, Dataset] = {
        kind: dcmread(folder / name) for kind, name in zip(KINDS, names, strict=True)
    }
    return Written(folder, scan, files, [digest(file) for file in scan.files] == before)


def phantom(folder: Path, style: SiteName) -> BoneScan:
    study = draw_study(5, 1, style=STYLES[style], label=True, preset="realistic", patient_number=1)
    for name, dataset in nm_objects(study).items():
        (folder / f"{name}.dcm").write_bytes(encoded(dataset))
    return read_study(find_studies(folder).studies[0].files, IngestSettings())


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def asked(scan: BoneScan) -> DicomRequest:
    maps = (np.zeros_like(scan.anterior.counts), np.zeros_like(scan.posterior.counts))
    maps[0][200:230, 40:60] = 1
    maps[1][400:420, 20:30] = 0.7
    picture = np.full((30, 40, 3), 200, np.uint8)
    now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    return DicomRequest(scan, RESULT, picture, maps, seg=True, gsps=True, now=now)


@pytest.mark.parametrize("kind", KINDS)
def test_an_independent_validator_finds_nothing_wrong(
    written: Written, kind: str, tmp_path: Path
) -> None:
    made = dcmread(written.folder / f"case-0001-{kind}.dcm")
    del made.SyntheticData  # of 2023; the validator that Debian has is of 2022

    complaints, status = validate(made, tmp_path)

    assert [line for line in complaints if ALLOWED not in line] == []
    assert status == 0


def validate(made: Dataset, folder: Path) -> tuple[list[str], int]:
    """Let dciodvfy of Debian's dicom3tools check every module of an object's IOD."""
    made.save_as(folder / "made.dcm")
    done = subprocess.run(
        ["dciodvfy", folder / "made.dcm"], check=False, capture_output=True, text=True
    )
    lines = (done.stdout + done.stderr).splitlines()
    return [line for line in lines if line.startswith(("Error", "Warning"))], done.returncode


def test_the_validator_would_find_a_missing_attribute(written: Written, tmp_path: Path) -> None:
    damaged = dcmread(written.folder / "case-0001-anterior-seg.dcm")
    del damaged.SegmentationType

    complaints, status = validate(damaged, tmp_path)

    assert any("SegmentationType" in line for line in complaints)
    assert status != 0


def test_segmentations_mark_the_hot_pixels_of_the_stored_frames(written: Written) -> None:
    anterior, posterior = (written.files[f"{name}-seg"] for name in ("anterior", "posterior"))

    assert np.array_equal(anterior.pixel_array == 1, asked(written.scan).maps[0] > 0)
    assert np.array_equal(posterior.pixel_array == 1, asked(written.scan).maps[1] > 0)


def test_another_library_reads_the_segmentation_and_what_it_says_of_itself(
    written: Written,
) -> None:
    read = highdicom.seg.segread(written.folder / "case-0001-anterior-seg.dcm")

    described = read.get_segment_description(1)
    assert described.algorithm_identification is not None
    assert described.segment_label == "AI attention, not a lesion"
    assert described.algorithm_identification.version == RESULT.model_sha256
    assert "not for diagnosis" in read.ContentDescription


def test_references_name_the_true_object_and_frame(written: Written) -> None:
    for view, stored in (
        ("anterior", written.scan.anterior),
        ("posterior", written.scan.posterior),
    ):
        seg = written.files[f"{view}-seg"]
        group = seg.PerFrameFunctionalGroupsSequence[0].DerivationImageSequence[0]
        (found,) = group.SourceImageSequence
        assert found.ReferencedSOPInstanceUID == stored.sop_instance_uid
        assert found.get("ReferencedFrameNumber", 1) == stored.frame


def test_no_reference_leads_to_a_stand_in(written: Written) -> None:
    objects = {written.scan.anterior.sop_instance_uid, written.scan.posterior.sop_instance_uid}

    for made in written.files.values():
        named = {
            element.value
            for element in made.iterall()
            if element.keyword == "ReferencedSOPInstanceUID"
        }
        assert named <= objects
    assert objects == {
        element.value
        for element in written.files["gsps"].iterall()
        if element.keyword == "ReferencedSOPInstanceUID"
    }


def test_a_viewer_draws_a_circle_around_what_was_hot(written: Written) -> None:
    state = written.files["gsps"]
    places = {
        (
            item.ReferencedImageSequence[0].ReferencedSOPInstanceUID,
            item.ReferencedImageSequence[0].get("ReferencedFrameNumber", 1),
        ): item
        for item in state.GraphicAnnotationSequence
    }
    anterior = places[written.scan.anterior.sop_instance_uid, written.scan.anterior.frame]

    (circle,) = anterior.GraphicObjectSequence
    assert circle.GraphicType == "CIRCLE"
    column, row, edge_column, edge_row = circle.GraphicData
    assert (column, row, edge_row) == (50, 215, 215)
    assert edge_column - column == pytest.approx(np.hypot(30, 20) / 2, rel=1e-6)
    assert "not for diagnosis" in anterior.TextObjectSequence[0].UnformattedTextValue


def test_the_scan_s_files_stay_as_they_were(written: Written) -> None:
    assert written.unchanged


def test_a_second_run_names_the_same_objects(written: Written, tmp_path: Path) -> None:
    names = write_dicom_results(tmp_path, 1, asked(written.scan))

    again = [dcmread(tmp_path / name).SOPInstanceUID for name in names]
    assert again == [made.SOPInstanceUID for made in written.files.values()]
    assert len(set(again)) == len(KINDS)


def test_a_mirrored_view_is_marked_where_it_is_stored(tmp_path: Path) -> None:
    scan = phantom(tmp_path, "aachen")
    scan = replace(scan, posterior=replace(scan.posterior, mirrored=True))

    write_dicom_results(tmp_path, 1, asked(scan))

    marked: NDArray[np.uint8] = dcmread(tmp_path / "case-0001-posterior-seg.dcm").pixel_array
    assert np.array_equal(marked == 1, asked(scan).maps[1][:, ::-1] > 0)


def test_maps_without_heat_give_a_state_without_circles_and_no_segmentation(tmp_path: Path) -> None:
    scan = phantom(tmp_path, "aachen")
    cold: tuple[Image, Image] = (
        np.zeros_like(scan.anterior.counts),
        np.zeros_like(scan.posterior.counts),
    )

    names = write_dicom_results(tmp_path, 1, replace(asked(scan), maps=cold))

    assert not [name for name in names if "seg" in name]
    state = dcmread(tmp_path / "case-0001-gsps.dcm")
    assert not any("GraphicObjectSequence" in item for item in state.GraphicAnnotationSequence)


def test_halves_of_one_frame_are_not_marked(tmp_path: Path) -> None:
    scan = phantom(tmp_path, "aachen")
    half = replace(scan.posterior, frame=scan.anterior.frame)

    with pytest.raises(DataError, match="halves of one frame"):
        write_dicom_results(tmp_path, 1, asked(replace(scan, posterior=half)))
