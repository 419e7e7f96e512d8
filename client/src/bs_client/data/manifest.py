"""Which scans of a site are labelled: labels and accepted scans brought together.

The labels file's patient ids stand before those of the DICOM objects, because an anonymised
export may have given every patient the same one.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bs_client.data.labels import LabelRow, LabelTable, Sex, Split
from bs_common.errors import DataError


class ScanFacts(Protocol):
    """What matching needs to know of an accepted scan; `dicom.scan.BoneScan` has it."""

    @property
    def study_uid(self) -> str:
        """Study Instance UID (0020,000D)."""

    @property
    def patient_id(self) -> str:
        """Patient ID (0010,0020); may be empty after anonymisation."""

    @property
    def pixel_sha256(self) -> str:
        """Digest of both views' counts."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One labelled scan.

    patient_id : who must stay in one split; the study's own UID where nobody gave a patient id.
    label : whether the patient has metastases.
    split : None until given by the labels file or drawn by `splits`.
    mask : file or folder with the outlines of the metastatic spots.
    age : years.
    """

    study_uid: str
    patient_id: str
    label: bool
    pixel_sha256: str
    split: Split | None = None
    mask: Path | None = None
    age: float | None = None
    sex: Sex | None = None
    primary: str | None = None
    reference_standard: str | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """Labels and scans of a site, brought together.

    entries : sorted by study UID; every pixel content once.
    unlabelled : study UIDs of scans without a label, sorted.
    unscanned : label rows without a scan, in the order of the file.
    duplicates : number of labelled scans left out because an entry has the same pixels.
    without_patient_id : number of entries that stand as a patient of their own, because neither
        the labels file nor the scan names the patient.
    """

    entries: tuple[Entry, ...]
    unlabelled: tuple[str, ...]
    unscanned: tuple[LabelRow, ...]
    duplicates: int
    without_patient_id: int


def match(labels: LabelTable, scans: Sequence[ScanFacts]) -> Manifest:
    """Give each scan the label of its study, or of its patient where patients are the key.

    Raises
    ------
    DataError
        One study is given as two scans that differ, equal pixels carry different labels or
        splits, or a patient's mask would be laid over several scans. The message gives counts.
    """
    scans_by_study = _by_study(scans)
    rows_by_key = {_row_key(row, labels): row for row in labels.rows}
    found = []
    unlabelled = []
    for study_uid, scan in sorted(scans_by_study.items()):
        row = rows_by_key.get(_scan_key(scan, labels))
        if row is None:
            unlabelled.append(study_uid)
        else:
            found.append((row, _entry(row, scan)))
    used = {row.line for row, _ in found}
    entries = _without_duplicates([entry for _, entry in found])
    _check_masks(entries, labels)
    return Manifest(
        entries=entries,
        unlabelled=tuple(unlabelled),
        unscanned=tuple(row for row in labels.rows if row.line not in used),
        duplicates=sum(_scan_key(scan, labels) in rows_by_key for scan in scans) - len(entries),
        without_patient_id=sum(entry.patient_id == entry.study_uid for entry in entries),
    )


def _by_study(scans: Iterable[ScanFacts]) -> dict[str, ScanFacts]:
    by_study: dict[str, ScanFacts] = {}
    differing = 0
    for scan in scans:
        kept = by_study.setdefault(scan.study_uid, scan)
        differing += kept.pixel_sha256 != scan.pixel_sha256
    if differing:
        raise DataError(
            f"{differing} scans differ from an earlier scan of the same study, expected one scan "
            "a study",
            remedy="Keep one whole-body acquisition of each study in the data folder.",
        )
    return by_study


def _row_key(row: LabelRow, labels: LabelTable) -> str | None:
    return row.study_uid if labels.keyed_by == "study_uid" else row.patient_id


def _scan_key(scan: ScanFacts, labels: LabelTable) -> str:
    # DICOM pads texts to even length with a blank (PS3.5 6.2).
    return scan.study_uid if labels.keyed_by == "study_uid" else scan.patient_id.strip()


def _entry(row: LabelRow, scan: ScanFacts) -> Entry:
    return Entry(
        study_uid=scan.study_uid,
        patient_id=row.patient_id or scan.patient_id.strip() or scan.study_uid,
        label=row.label,
        pixel_sha256=scan.pixel_sha256,
        split=row.split,
        mask=row.mask,
        age=row.age,
        sex=row.sex,
        primary=row.primary,
        reference_standard=row.reference_standard,
    )


def _without_duplicates(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """Keep the first entry of each pixel content, where its copies say the same."""
    copies_by_pixels: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        copies_by_pixels[entry.pixel_sha256].append(entry)
    groups = copies_by_pixels.values()
    labels_differ = sum(len({entry.label for entry in group}) > 1 for group in groups)
    splits_differ = sum(len({entry.split for entry in group}) > 1 for group in groups)
    if labels_differ or splits_differ:
        raise DataError(
            "the same pixels are labelled as several studies: "
            f"{labels_differ} images with different labels, "
            f"{splits_differ} images in different splits, expected 0 of both",
            remedy="Give copies of one image the same label and split, or remove the copies.",
        )
    return tuple(group[0] for group in groups)


def _check_masks(entries: Sequence[Entry], labels: LabelTable) -> None:
    """Refuse masks given by patient where the patient has several scans."""
    if labels.keyed_by == "study_uid":
        return
    scans_by_patient = Counter(entry.patient_id for entry in entries if entry.mask is not None)
    unclear = sum(scans > 1 for scans in scans_by_patient.values())
    if unclear:
        raise DataError(
            f"{unclear} patients have one mask and several scans, expected a mask a scan",
            remedy="Add a study_uid column to the labels file, one row a scan.",
        )
