"""Small valid nuclear medicine objects, derived from for each rule."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset, FileMetaDataset, Sequence, dcmread
from pydicom.data import get_testdata_file
from pydicom.uid import ExplicitVRLittleEndian, NuclearMedicineImageStorage, generate_uid

from bs_client.dicom import IngestSettings, StudyReading, inspect_study

ROWS, COLUMNS = 256, 64
STUDY_UID = "1.2.826.0.1.3680043.8.498.1"
CODES = {
    "anterior": ("399321004", "SCT", "Anterior projection"),
    "posterior": ("399001007", "SCT", "Posterior projection"),
}


@pytest.fixture
def body() -> NDArray[np.uint16]:
    """Anterior counts, (256, 64): head, trunk, spine, legs, one arm and a hot spot on its side."""
    y, x = np.mgrid[0:ROWS, 0:COLUMNS]
    across = np.abs(x - (COLUMNS - 1) / 2)
    counts = np.zeros((ROWS, COLUMNS))
    counts[np.hypot((y - 35) / 18, across / 8) < 1] = 100
    counts[(y > 50) & (y < 135) & (across < 14)] = 90
    counts[(y >= 135) & (y < 230) & (across < 12) & (across > 2)] = 75
    counts[(y > 50) & (y < 135) & (across < 3)] = 170
    counts[np.hypot((y - 80) / 8, (x - 41) / 4) < 1] = 200
    counts[(y > 55) & (y < 130) & (x >= 50) & (x < 55)] = 90
    return counts.astype(np.uint16)


@pytest.fixture
def make_object(body: NDArray[np.uint16]) -> Callable[..., Dataset]:
    """Make a valid whole-body object of the named views, one frame for each."""

    def make(*views: str, codes: bool = True) -> Dataset:
        dataset = _header(len(views))
        frames = [body if view == "anterior" else body[:, ::-1] for view in views]
        dataset.PixelData = np.stack(frames).astype("<u2").tobytes()
        dataset.DetectorInformationSequence = Sequence()
        for view in views:
            detector = Dataset()
            if codes:
                detector.ViewCodeSequence = Sequence([code_item(*CODES[view])])
            dataset.DetectorInformationSequence.append(detector)
        return dataset

    return make


def code_item(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


@pytest.fixture
def make_code() -> Callable[[str, str, str], Dataset]:
    """Make an item of a view code sequence: value, scheme, meaning."""
    return code_item


def _header(frames: int) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = NuclearMedicineImageStorage
    dataset.SOPInstanceUID = generate_uid()
    dataset.StudyInstanceUID = STUDY_UID
    dataset.PatientID = "P1"
    dataset.Modality = "NM"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "WHOLE BODY", "EMISSION"]
    dataset.Manufacturer, dataset.ManufacturerModelName = "Maker", "Model"
    dataset.AcquisitionDate, dataset.AcquisitionTime = "20240102", "101500"
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
    dataset.PixelRepresentation = 0
    dataset.Rows, dataset.Columns, dataset.NumberOfFrames = ROWS, COLUMNS, frames
    dataset.PixelSpacing = [9.04, 9.04]
    dataset.EnergyWindowVector = [1] * frames
    dataset.NumberOfEnergyWindows = 1
    dataset.DetectorVector = list(range(1, frames + 1))
    dataset.NumberOfDetectors = frames
    return dataset


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., Path]:
    """Write a data set as a DICOM file into the test's folder."""

    def write(dataset: Dataset, name: str = "") -> Path:
        path = tmp_path / (name or f"{len(list(tmp_path.iterdir())):03d}.dcm")
        dataset.save_as(path, enforce_file_format=True)
        return path

    return write


@pytest.fixture
def read(save: Callable[..., Path]) -> Callable[..., StudyReading]:
    """Write data sets as one study and read it; keywords are ingest settings."""

    def inspect(*datasets: Dataset, **settings: bool) -> StudyReading:
        return inspect_study([save(one) for one in datasets], IngestSettings(**settings))

    return inspect


@pytest.fixture
def code_of(read: Callable[..., StudyReading]) -> Callable[..., str]:
    """Write data sets as one study and give the code of its refusal, or 'accepted'."""

    def verdict(*datasets: Dataset, **settings: bool) -> str:
        refusal = read(*datasets, **settings).refusal
        return "accepted" if refusal is None else refusal.refusal

    return verdict


@pytest.fixture
def bundled_anterior() -> Dataset:
    """Give the real whole-body scan that pydicom brings: GE, anterior, lossy JPEG 2000."""
    return dcmread(str(get_testdata_file("JPEG2000.dcm")))


@pytest.fixture
def bundled_posterior(bundled_anterior: Dataset) -> Dataset:
    """Give a posterior partner for it: the same counts mirrored, uncompressed, named _F."""
    partner = deepcopy(bundled_anterior)
    mirrored = np.ascontiguousarray(bundled_anterior.pixel_array[:, ::-1])
    partner.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    partner.set_pixel_data(mirrored, "MONOCHROME2", 16, generate_instance_uid=False)
    partner.SOPInstanceUID = generate_uid()
    partner.file_meta.MediaStorageSOPInstanceUID = partner.SOPInstanceUID
    partner.ImageID = "WHOLE BODY_F"
    names = partner.private_block(0x0011, "GEMS_GENIE_1")
    for element in (0x10, 0x12, 0x30):
        names[element].value = "WHOLE BODY_F"
    return partner
