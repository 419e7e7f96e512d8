"""Regions from NIfTI, DICOM segmentations and folders, each on its own view."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, SegmentationStorage, generate_uid

from bs_client.data.masks import Masks, Region, read_mask, read_regions
from bs_client.data.preprocess import Geometry
from bs_common.errors import DataError

GEOMETRY = Geometry((6, 4), (6, 4))
FRAMES = (("1.2.3.4", 1), ("1.2.3.4", 2))
Regions = NDArray[np.int16]


def drawing(*points: tuple[int, int, int, int]) -> Regions:
    """Set (view, row, column) to a region's number, (2, 6, 4)."""
    drawn = np.zeros((2, 6, 4), np.int16)
    for view, row, column, number in points:
        drawn[view, row, column] = number
    return drawn


SPOTS = drawing((0, 1, 2, 1), (1, 4, 3, 1), (0, 5, 1, 2), (1, 0, 0, 3))


def places(masks: Masks) -> list[list[list[int]]]:
    return [np.argwhere(view).tolist() for view in masks]


EXPECTED = {
    Region.METASTASIS: [[[1, 2]], [[4, 3]]],
    Region.BLADDER: [[[5, 1]], []],
    Region.INJECTION: [[], [[0, 0]]],
}


def write_nifti(path: Path, array: NDArray[np.generic]) -> Path:
    image: Any = nibabel.Nifti1Image
    image(array, np.eye(4)).to_filename(str(path))
    return path


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("layout", ["behind", "beside"])
def test_a_label_map_holds_several_regions(tmp_path: Path, suffix: str, layout: str) -> None:
    stacked = SPOTS if layout == "behind" else np.concatenate(list(SPOTS), axis=1)
    path = write_nifti(tmp_path / f"mask{suffix}", stacked.T)  # axes (columns, rows[, views])

    found = read_regions(path, GEOMETRY)

    assert {region: places(masks) for region, masks in found.items()} == EXPECTED


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (SPOTS, "both views side by side"),  # not turned
        (drawing((0, 1, 1, 7)).T, "no region"),
        (SPOTS.T + 0.5, "no whole numbers"),
    ],
)
def test_a_label_map_that_does_not_fit_is_refused(
    tmp_path: Path, array: NDArray[np.generic], words: str
) -> None:
    path = write_nifti(tmp_path / "mask.nii", array)

    with pytest.raises(DataError, match=words):
        read_regions(path, GEOMETRY)


@pytest.mark.parametrize("name", ["mask.nii", "mask.nii.gz", "mask.dcm", "mask.png"])
def test_a_file_of_another_kind_is_refused_without_naming_it(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"DOE_{name}"
    path.write_bytes(b"not what it says" * 40)

    with pytest.raises(DataError) as refused:
        read_regions(path, GEOMETRY)
    assert "DOE" not in str(refused.value) + refused.value.remedy


Frames = list[tuple[int, NDArray[np.bool_], tuple[str, int] | None]]


def segmentation(frames: Frames, labels: list[str]) -> Dataset:
    """A binary SEG object with frames of (segment, pixels, source frame), PS3.3 A.51."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = SegmentationStorage
    dataset.SOPInstanceUID = generate_uid()
    dataset.Modality = "SEG"
    dataset.SegmentationType = "BINARY"
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 1
    dataset.HighBit = dataset.PixelRepresentation = 0
    dataset.NumberOfFrames = len(frames)
    dataset.Rows, dataset.Columns = frames[0][1].shape
    dataset.SegmentSequence = Sequence()
    for number, label in enumerate(labels, start=1):
        segment = Dataset()
        segment.SegmentNumber, segment.SegmentLabel = number, label
        dataset.SegmentSequence.append(segment)
    dataset.PerFrameFunctionalGroupsSequence = Sequence(
        [_groups(segment, source) for segment, _, source in frames]
    )
    pixels = np.stack([pixels for _, pixels, _ in frames])
    packed = np.packbits(pixels.ravel(), bitorder="little").tobytes()
    dataset.PixelData = packed + bytes(len(packed) % 2)  # of even length, PS3.5 8.1.1
    return dataset


def _groups(segment: int, source: tuple[str, int] | None) -> Dataset:
    groups, identification = Dataset(), Dataset()
    identification.ReferencedSegmentNumber = segment
    groups.SegmentIdentificationSequence = Sequence([identification])
    if source is not None:
        image, derivation = Dataset(), Dataset()
        image.ReferencedSOPInstanceUID, image.ReferencedFrameNumber = source
        derivation.SourceImageSequence = Sequence([image])
        groups.DerivationImageSequence = Sequence([derivation])
    return groups


def write_segmentation(path: Path, dataset: Dataset) -> Path:
    dataset.save_as(path, enforce_file_format=True)
    return path


LABELS = ["Metastasis", "Urinary bladder", "Injection site"]


def all_frames(sources: tuple[tuple[str, int], tuple[str, int]] | None) -> Frames:
    return [
        (number, SPOTS[view] == number, sources[view] if sources else None)
        for number in (1, 2, 3)
        for view in (0, 1)
    ]


def test_frames_of_a_segmentation_find_the_view_that_they_name(tmp_path: Path) -> None:
    turned = all_frames(FRAMES)[::-1]  # the order of frames says nothing
    path = write_segmentation(tmp_path / "mask.dcm", segmentation(turned, LABELS))

    found = read_regions(path, GEOMETRY, frames=FRAMES)

    assert {region: places(masks) for region, masks in found.items()} == EXPECTED


def test_frames_that_name_none_are_anterior_and_then_posterior(tmp_path: Path) -> None:
    path = write_segmentation(tmp_path / "mask.dcm", segmentation(all_frames(None), LABELS))

    found = read_regions(path, GEOMETRY, frames=FRAMES)

    assert {region: places(masks) for region, masks in found.items()} == EXPECTED


def test_one_frame_on_the_posterior_view_alone(tmp_path: Path) -> None:
    frames: Frames = [(1, SPOTS[1] == 1, FRAMES[1])]
    path = write_segmentation(tmp_path / "mask.dcm", segmentation(frames, ["Lesion 1"]))

    assert places(read_regions(path, GEOMETRY, frames=FRAMES)[Region.METASTASIS]) == [[], [[4, 3]]]


def test_two_lesions_as_two_segments_are_both_metastases(tmp_path: Path) -> None:
    frames: Frames = [(1, SPOTS[0] == 1, FRAMES[0]), (2, SPOTS[0] == 2, FRAMES[0])]
    path = write_segmentation(tmp_path / "mask.dcm", segmentation(frames, ["L1", "L2"]))

    found = read_regions(path, GEOMETRY, frames=FRAMES)

    assert places(found[Region.METASTASIS]) == [[[1, 2], [5, 1]], []]


def test_a_segmentation_in_another_matrix_is_refused(tmp_path: Path) -> None:
    frames: Frames = [(1, np.ones((8, 8), bool), FRAMES[0])]
    path = write_segmentation(tmp_path / "mask.dcm", segmentation(frames, ["L"]))

    with pytest.raises(DataError, match=r"\(8, 8\) that lies on neither view"):
        read_regions(path, GEOMETRY, frames=FRAMES)


def test_a_scan_given_as_its_own_mask_is_refused(tmp_path: Path) -> None:
    scan = segmentation([(1, SPOTS[0] == 1, None)], ["L"])
    scan.SOPClassUID = "1.2.840.10008.5.1.4.1.1.20"

    with pytest.raises(DataError, match="no segmentation"):
        read_regions(write_segmentation(tmp_path / "mask.dcm", scan), GEOMETRY)


def write_png(path: Path, *points: tuple[int, int]) -> None:
    drawn = np.zeros((6, 8), np.uint8)
    for row, column in points:
        drawn[row, column] = 255
    Image.fromarray(drawn).save(path)


def test_a_folder_holds_a_file_for_each_region(tmp_path: Path) -> None:
    write_png(tmp_path / "metastasis.png", (1, 2), (4, 7))
    write_png(tmp_path / "Bladder.png", (5, 1))
    write_nifti(tmp_path / "injection.nii.gz", (SPOTS == 3).astype(np.uint8).T)
    (tmp_path / "notes.txt").write_text("anything")

    found = read_regions(tmp_path, GEOMETRY)

    assert {region: places(masks) for region, masks in found.items()} == EXPECTED


def test_a_folder_without_a_named_region_is_refused(tmp_path: Path) -> None:
    write_png(tmp_path / "lesions.png", (1, 2))

    with pytest.raises(DataError, match="named after a region"):
        read_regions(tmp_path, GEOMETRY)


def test_a_mask_follows_a_posterior_view_that_ingest_has_mirrored(tmp_path: Path) -> None:
    write_png(tmp_path / "mask.png", (1, 2), (4, 7))

    found = read_regions(tmp_path / "mask.png", replace(GEOMETRY, posterior_mirrored=True))

    assert places(found[Region.METASTASIS]) == [[[1, 2]], [[4, 0]]]


def test_a_mask_without_a_spot_says_that_there_is_none(tmp_path: Path) -> None:
    write_png(tmp_path / "mask.png")

    assert places(read_mask(tmp_path / "mask.png", GEOMETRY)) == [[], []]
    assert list(read_regions(tmp_path / "mask.png", GEOMETRY)) == [Region.METASTASIS]
