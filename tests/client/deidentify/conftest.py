"""Studies of a hospital that has written its patient into every corner of the objects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, FileDataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.uid import ExplicitVRLittleEndian, NuclearMedicineImageStorage

from bs_client.deidentify.pseudonyms import Pseudonyms
from bs_client.phantom import STYLES, draw_study
from bs_client.phantom.nm_object import nm_objects
from bs_client.phantom.site_style import SiteName

PREAMBLE = b"Wilhelmina Musterfrau".ljust(128, b"\0")
# Everything that `identify` writes, as it would be found in a file's bytes.
SECRETS = (
    b"Musterfrau",
    b"Wilhelmina",
    b"KH-004711",
    b"19440517",
    b"20230911",
    b"Sankt Nirgendwo",
    b"ACC-2023-77",
    b"Knochenmann",
    b"1.2.276.99.1",
    b"NIRGENDWO_PACS",
    b"PRIVATMARKE",
)
Study = Mapping[str, Dataset]


def identify(dataset: Dataset, number: int) -> Dataset:
    """Write a patient into an object: at its top, inside sequences, privately and in free texts."""
    dataset.PatientName, dataset.PatientID = "Musterfrau^Wilhelmina", "KH-004711"
    dataset.PatientBirthDate, dataset.PatientAge = "19440517", "079Y"
    for keyword in ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate"):
        setattr(dataset, keyword, "20230911")
    dataset.InstitutionName, dataset.AccessionNumber = "Sankt Nirgendwo", "ACC-2023-77"
    dataset.ReferringPhysicianName = dataset.OperatorsName = "Knochenmann^Egon"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.276.99.1.1", "1.2.276.99.1.2"
    dataset.SOPInstanceUID = f"1.2.276.99.1.3.{number}"
    dataset.PatientComments = "Frau Musterfrau, 20230911"
    # Not in the table of PS3.15, so that only reading the text tells.
    dataset.CollimatorGridName = "bei Wilhelmina"
    _nest(dataset)
    dataset.private_block(0x0033, "PRIVATMARKE", create=True).add_new(1, "LO", "KH-004711")
    dataset.add_new((0x6000, 0x0022), "LO", "Pfeil von Dr. Knochenmann")
    meta = dataset.file_meta
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.SourceApplicationEntityTitle = "NIRGENDWO_PACS"
    return dataset


def _nest(dataset: Dataset) -> None:
    referenced = Dataset()
    referenced.ReferencedSOPClassUID = NuclearMedicineImageStorage
    referenced.ReferencedSOPInstanceUID = "1.2.276.99.1.3.9"
    dataset.ReferencedImageSequence = [referenced]
    for detector in dataset.get("DetectorInformationSequence", []):
        detector.DetectorID = "Sankt Nirgendwo"
        detector.DateOfLastCalibration = "20230911"
        detector.private_block(0x0033, "PRIVATMARKE", create=True).add_new(1, "LO", "KH-004711")
    equipment = Dataset()
    equipment.InstitutionName, equipment.Manufacturer = "Sankt Nirgendwo", "Maker"
    equipment.ContributionDateTime = "20230911101500"
    dataset.ContributingEquipmentSequence = [equipment]


@pytest.fixture(scope="session")
def drawn() -> Mapping[SiteName, Study]:
    """One study in each vendor's style."""
    return {
        name: nm_objects(draw_study(7, 1, style=style, label=True, preset="realistic"))
        for name, style in STYLES.items()
    }


@pytest.fixture(scope="session")
def bundled_pair() -> Study:
    """The real GE scan of pydicom (JPEG 2000), and a partner made of it by mirroring."""
    anterior: FileDataset = dcmread(str(get_testdata_file("JPEG2000.dcm")))
    posterior = deepcopy(anterior)
    mirrored = np.ascontiguousarray(anterior.pixel_array[:, ::-1])
    posterior.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    posterior.set_pixel_data(mirrored, "MONOCHROME2", 16, generate_instance_uid=False)
    posterior.ImageID = "WHOLE BODY_F"
    names = posterior.private_block(0x0011, "GEMS_GENIE_1")
    for element in (0x10, 0x12, 0x30):
        names[element].value = "WHOLE BODY_F"
    return {"_e": anterior, "_f": posterior}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "Musterfrau scans"
    folder.mkdir()
    return folder


@pytest.fixture
def put(source: Path) -> Callable[[Study], None]:
    """Write a study with identifiers everywhere into the source folder."""

    def write(study: Study) -> None:
        for number, (suffix, dataset) in enumerate(study.items(), start=1):
            one = identify(deepcopy(dataset), number)
            one.preamble = PREAMBLE
            one.save_as(source / f"Musterfrau{suffix}.dcm", enforce_file_format=True)

    return write


@pytest.fixture
def secrets() -> tuple[bytes, ...]:
    """Give what no byte of a copy may hold."""
    return SECRETS


@pytest.fixture
def pseudonyms() -> Pseudonyms:
    return Pseudonyms(bytes(32))
