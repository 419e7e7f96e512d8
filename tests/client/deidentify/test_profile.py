"""One object: what the profile removes, what it keeps, and what it says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy

import pytest
from pydicom import Dataset
from pydicom.uid import NuclearMedicineImageStorage

from bs_client.deidentify.profile import remove_identifiers
from bs_client.deidentify.pseudonyms import Pseudonyms


@pytest.fixture
def scan(drawn: Mapping[str, Mapping[str, Dataset]]) -> Dataset:
    return deepcopy(drawn["aalborg"]["_e"])


def test_the_object_says_that_it_was_deidentified_and_how(
    scan: Dataset, pseudonyms: Pseudonyms
) -> None:
    remove_identifiers(scan, pseudonyms)

    assert scan.PatientIdentityRemoved == "YES"
    assert len(scan.DeidentificationMethod) <= 64
    (code,) = scan.DeidentificationMethodCodeSequence
    assert (code.CodeValue, code.CodingSchemeDesignator) == ("113100", "DCM")


def test_free_texts_and_private_elements_are_gone(scan: Dataset, pseudonyms: Pseudonyms) -> None:
    assert "SeriesDescription" in scan
    assert (0x0011, 0x1012) in scan

    remove_identifiers(scan, pseudonyms)

    for keyword in ("SeriesDescription", "StudyDescription", "ImageID", "PatientAge"):
        assert keyword not in scan
    assert not [tag for tag in scan.keys() if tag.is_private]  # noqa: SIM118


def test_what_ingest_and_the_cohort_table_read_is_kept(
    scan: Dataset, pseudonyms: Pseudonyms
) -> None:
    before = deepcopy(scan)

    remove_identifiers(scan, pseudonyms)

    for keyword in (
        "ImageType",
        "Modality",
        "SOPClassUID",
        "SyntheticData",
        "Manufacturer",
        "ManufacturerModelName",
        "PixelSpacing",
        "WholeBodyTechnique",
        "EnergyWindowInformationSequence",
        "DetectorVector",
        "PixelData",
    ):
        assert scan[keyword] == before[keyword]


def test_uids_that_refer_to_one_another_still_do(scan: Dataset, pseudonyms: Pseudonyms) -> None:
    part = Dataset()
    part.ReferencedSOPClassUID = NuclearMedicineImageStorage
    part.ReferencedSOPInstanceUID = scan.SOPInstanceUID
    # A sequence that the table does not name, so that its items stay.
    scan.RadiopharmaceuticalInformationSequence.append(part)
    original = str(scan.SOPInstanceUID)

    remove_identifiers(scan, pseudonyms)

    assert part.ReferencedSOPInstanceUID == scan.SOPInstanceUID == pseudonyms.uid(original)
    assert part.ReferencedSOPClassUID == NuclearMedicineImageStorage


def test_dates_are_empty_and_not_invented(scan: Dataset, pseudonyms: Pseudonyms) -> None:
    injected = scan.RadiopharmaceuticalInformationSequence[0]
    assert injected.RadiopharmaceuticalStartTime

    remove_identifiers(scan, pseudonyms)

    assert not scan.StudyDate
    assert not scan.AcquisitionTime
    assert "RadiopharmaceuticalStartTime" not in injected


def test_a_text_that_names_the_patient_goes_wherever_it_stands(
    scan: Dataset, pseudonyms: Pseudonyms
) -> None:
    scan.PatientName, scan.PatientID = "Muster^Ida", "K4711"
    window = scan.EnergyWindowInformationSequence[0]
    window.EnergyWindowName = "Tc99m Ida"
    scan.Manufacturer = "k4711 GmbH"

    remove_identifiers(scan, pseudonyms)

    assert "EnergyWindowName" not in window
    assert "Manufacturer" not in scan
    assert window.EnergyWindowRangeSequence[0].EnergyWindowLowerLimit == 126.5


def test_a_word_that_contains_the_name_is_another_word(
    scan: Dataset, pseudonyms: Pseudonyms
) -> None:
    scan.PatientName = "Infini^Ge"

    remove_identifiers(scan, pseudonyms)

    assert scan.ManufacturerModelName == "INFINIA"
    assert scan.Manufacturer == "GE MEDICAL SYSTEMS"


def test_bytes_of_unknown_meaning_are_removed(scan: Dataset, pseudonyms: Pseudonyms) -> None:
    scan.add_new((0x0054, 0x7777), "UN", b"whatever")

    remove_identifiers(scan, pseudonyms)

    assert (0x0054, 0x7777) not in scan


def test_overlays_are_removed_with_their_texts(scan: Dataset, pseudonyms: Pseudonyms) -> None:
    scan.add_new((0x6000, 0x0010), "US", 1)
    scan.add_new((0x6000, 0x0022), "LO", "arrow at the lesion of Mr. Smith")
    scan.add_new((0x6000, 0x3000), "OW", b"\0\0")

    remove_identifiers(scan, pseudonyms)

    assert not [tag for tag in scan.keys() if tag.group == 0x6000]  # noqa: SIM118
