"""One object without its patient: the Basic Profile of PS3.15 Annex E, and what it leaves open.

The table of attributes is dicom-anonymizer's. It acts on the outermost attributes only, draws new
UIDs at random and writes the year 1 for dates; here it is applied at every depth, UIDs are
pseudonyms, dates are empty and sequences that it names are removed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from io import BytesIO
from pathlib import Path

from dicomanonymizer.simpledicomanonymizer import (  # type: ignore[import-untyped]
    anonymize_dataset,
    delete,
    initialize_actions_2024b,
)
from pydicom import DataElement, Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID

from bs_client.deidentify.pseudonyms import Pseudonyms
from bs_client.deidentify.view_codes import write_view_codes
from bs_client.dicom.dataset_file import open_dataset
from bs_client.dicom.fields import text, texts
from bs_client.dicom.view_words import View

Tag = tuple[int, int]
Action = Callable[[Dataset, Tag], None]

METHOD = "PS3.15 Basic Profile 2024b; view codes written; UIDs by HMAC"  # at most 64 characters
BASIC_PROFILE = ("113100", "DCM", "Basic Application Confidentiality Profile")
FILE_META_GROUP = 0x0002
OVERLAY_GROUPS = range(0x6000, 0x6100, 2)
MOMENTS = ("DA", "DT", "TM")
FREE_TEXT = ("LO", "LT", "PN", "SH", "ST", "UC", "UT")
# What must not stand in a text that the table does not know. Shorter values are too common.
QUOTED_WHOLE = (
    "PatientID",
    "PatientBirthDate",
    "AccessionNumber",
    "InstitutionName",
    "StudyDate",
    "AcquisitionDate",
    "StudyInstanceUID",
    "SOPInstanceUID",
)
QUOTED_NAMES = ("PatientName", "ReferringPhysicianName", "OperatorsName", "PerformingPhysicianName")
SHORTEST_QUOTE = 4
SHORTEST_NAME = 3


def deidentified(file: Path, views: Mapping[int, View], pseudonyms: Pseudonyms) -> bytes:
    """Give an admitted object as a DICOM file without identifiers; its pixel bytes are the same.

    file : is read only.
    views : of the frames, by number from 1, as ingest told them.

    May raise whatever pydicom raises on malformed values, and ScanRefused on an unreadable file.
    """
    opened = open_dataset(file, with_pixels=True)
    dataset = opened.dataset
    assert isinstance(dataset, FileDataset)  # noqa: S101 (read from a file)
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = opened.transfer_syntax
    meta.MediaStorageSOPClassUID = UID(_either(dataset, "SOPClassUID"))
    sop_instance_uid = pseudonyms.uid(_either(dataset, "SOPInstanceUID"))
    meta.MediaStorageSOPInstanceUID = UID(sop_instance_uid)
    patient = pseudonyms.patient_id(text(dataset, "PatientID"))
    write_view_codes(dataset, views)
    remove_identifiers(dataset, pseudonyms)
    dataset.PatientID = dataset.PatientName = patient
    dataset.preamble, dataset.file_meta = bytes(128), meta
    return _encoded(dataset)


def remove_identifiers(dataset: Dataset, pseudonyms: Pseudonyms) -> None:
    """Apply the profile to an object at every depth, and say in it that this was done."""
    quotes, names = _identifiers(dataset)
    rules = {
        tag: partial(_apply, action, pseudonyms)
        for tag, action in initialize_actions_2024b().items()
        if tag[0] != FILE_META_GROUP  # file meta information is written anew
    }
    dataset.pop("ImageID", None)  # free text that the table does not know
    for tag in [tag for tag in dataset.keys() if tag.group in OVERLAY_GROUPS]:  # noqa: SIM118
        del dataset[tag]  # the table removes the drawing and leaves its texts
    for part in list(_depths(dataset)):
        anonymize_dataset(part, base_rules_gen=lambda: dict(rules))
    for part in _depths(dataset):
        _remove_quotes(part, quotes, names)
    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = METHOD
    dataset.DeidentificationMethodCodeSequence = [_code(*BASIC_PROFILE)]
    dataset.LongitudinalTemporalInformationModified = "REMOVED"


def _apply(action: Action, pseudonyms: Pseudonyms, dataset: Dataset, tag: Tag) -> None:
    """Do with one attribute what the table says, in this product's way where it has one."""
    element = dataset.get(tag)
    if not isinstance(element, DataElement):
        return
    if action is delete or element.VR == "SQ":
        del dataset[element.tag]
    elif element.VR in MOMENTS:
        element.value = ""
    elif element.VR == "UI":
        parts = element.value if element.VM > 1 else [element.value or ""]
        element.value = [pseudonyms.uid(str(part)) for part in parts]
    else:
        action(dataset, tag)


def _depths(dataset: Dataset) -> Iterator[Dataset]:
    """Give a data set and the items of its sequences at every depth."""
    yield dataset
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                yield from _depths(item)


def _identifiers(dataset: Dataset) -> tuple[frozenset[str], frozenset[str]]:
    """Give what identifies the patient: texts in whole, and the single words of names."""
    whole = (value.casefold() for keyword in QUOTED_WHOLE for value in texts(dataset, keyword))
    words = (word for keyword in QUOTED_NAMES for word in _words(str(dataset.get(keyword, ""))))
    return (
        frozenset(value for value in whole if len(value) >= SHORTEST_QUOTE),
        frozenset(word for word in words if len(word) >= SHORTEST_NAME),
    )


def _remove_quotes(dataset: Dataset, quotes: frozenset[str], names: frozenset[str]) -> None:
    """Remove every free text that quotes an identifier, and all bytes of unknown meaning."""
    for element in [one for one in dataset if one.VR in (*FREE_TEXT, "UN")]:
        stated = str(element.value).casefold()
        quoting = names.intersection(_words(stated)) or any(quote in stated for quote in quotes)
        if quoting or element.VR == "UN":
            del dataset[element.tag]


def _words(stated: str) -> list[str]:
    return re.findall(r"[^\W_]+", stated.casefold())


def _either(dataset: FileDataset, keyword: str) -> str:
    """Give a UID of the object, from the file meta information where the data set lacks it."""
    return text(dataset, keyword) or text(dataset.file_meta, f"MediaStorage{keyword}")


def _encoded(dataset: FileDataset) -> bytes:
    content = BytesIO()
    dataset.save_as(content, enforce_file_format=True)
    return content.getvalue()


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item
