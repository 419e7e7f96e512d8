"""DICOM files in, bone scans or precise refusals out: `find_studies`, then `read_study`."""

from bs_client.dicom.codes import IngestWarning, Refusal
from bs_client.dicom.discovery import StudyFiles, StudyIndex, find_studies
from bs_client.dicom.scan import BoneScan, Counts, ViewImage
from bs_client.dicom.settings import IngestSettings
from bs_client.dicom.study import FileVerdict, StudyReading, inspect_study, read_study

__all__ = [
    "BoneScan",
    "Counts",
    "FileVerdict",
    "IngestSettings",
    "IngestWarning",
    "Refusal",
    "StudyFiles",
    "StudyIndex",
    "StudyReading",
    "ViewImage",
    "find_studies",
    "inspect_study",
    "read_study",
]
