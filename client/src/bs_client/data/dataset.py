"""A site's labelled scans as the network sees them, read study by study and kept on disk.

Reading refuses nothing loudly: a study that cannot be used is counted under its code, and only the
counts are known outside this site.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bs_client.data.cache import ArrayCache
from bs_client.data.labels import LabelTable, Split, read_labels
from bs_client.data.manifest import Entry, match
from bs_client.data.preprocess import Geometry, prepare
from bs_client.data.splits import assign_splits
from bs_client.dicom.discovery import StudyFiles, StudyIndex, find_studies
from bs_client.dicom.scan import BoneScan
from bs_client.dicom.settings import IngestSettings
from bs_client.dicom.study import inspect_study, read_study
from bs_common.errors import DataError, ScanRefused
from bs_common.settings import Role, StudySettings

_log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]  # studies done, studies in all


@dataclass(frozen=True, slots=True)
class ScanRecord:
    """What is remembered of an accepted scan; its counts are read again when needed.

    study_uid : the digest of the pixels where the objects do not state one.
    scanner : manufacturer and model, as the object states them.
    total_counts : of both views together.
    """

    study_uid: str
    patient_id: str
    pixel_sha256: str
    synthetic: bool
    geometry: Geometry
    files: tuple[Path, ...]
    scanner: str = ""
    total_counts: float | None = None


@dataclass(frozen=True, slots=True)
class Intake:
    """The accepted scans of a folder, by study, and what became of the others.

    refused : by `E_...` code, the studies that it decided: nuclear medicine ones, other ones (the
        slices of one CT count once), and files of no study each by itself.
    """

    scans: Mapping[str, ScanRecord]
    refused: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Dataset:
    """The labelled scans of one site.

    entries : in manifest order, which fixes the order of everything computed from them.
    """

    entries: tuple[Entry, ...]
    intake: Intake
    images: ArrayCache
    settings: StudySettings
    ingest: IngestSettings

    def of_split(self, split: Split) -> list[Entry]:
        """Give the entries of a split, in manifest order."""
        return [entry for entry in self.entries if entry.split is split]

    def labels(self, split: Split) -> NDArray[np.bool_]:
        """Give the labels of a split, in manifest order."""
        return np.array([entry.label for entry in self.of_split(split)], bool)

    def record(self, entry: Entry) -> ScanRecord:
        """Give what is remembered of an entry's scan."""
        return self.intake.scans[entry.study_uid]

    def image(self, entry: Entry) -> NDArray[np.float32]:
        """Give an entry's network input, (height, 2 * width) in [0, 1]."""
        cached = self.images.get(image_key(entry.pixel_sha256, self.settings))
        return cached if cached is not None else self.image_anew(entry)

    def image_anew(self, entry: Entry) -> NDArray[np.float32]:
        """Give an entry's network input from its files, whatever is cached."""
        return _prepare(self.read(entry), self.settings)

    def read(self, entry: Entry) -> BoneScan:
        """Read an entry's scan again, in its native geometry."""
        return read_study(self.record(entry).files, self.ingest)

    def still_there(self, split: Split) -> Dataset:
        """Give the data set without those scans of a split that are not what was read before.

        Every file of the split is read again: it may have been moved, replaced or cut since.
        """
        lost = {entry for entry in self.of_split(split) if not self._is_still_there(entry)}
        return replace(self, entries=tuple(entry for entry in self.entries if entry not in lost))

    def _is_still_there(self, entry: Entry) -> bool:
        try:
            return self.read(entry).pixel_sha256 == entry.pixel_sha256
        except ScanRefused:
            return False

    @property
    def synthetic(self) -> bool:
        """Whether any scan says that it was made artificially."""
        return any(self.record(entry).synthetic for entry in self.entries)


def load_dataset(
    scans: Path,
    labels: Path,
    *,
    settings: StudySettings,
    ingest: IngestSettings,
    role: Role,
    site: str,
    cache: Path,
    progress: Progress = lambda done, total: None,
) -> Dataset:
    """Read every study, bring labels and scans together and split them by patient.

    Raises
    ------
    DataError
        If the labels are faulty, or no labelled scan is left.
    """
    table = read_labels(labels)
    images = ArrayCache(cache / "images")
    intake = take_in(
        scans,
        ingest=ingest,
        settings=settings,
        images=images,
        known=known_files(labels, table),
        progress=progress,
    )
    entries = label_scans(intake, table, settings=settings, role=role, site=site)
    return Dataset(entries, intake, images, settings, ingest)


def known_files(labels: Path, table: LabelTable) -> tuple[Path, ...]:
    """Name what may lie among the scans and is none: the labels file and its masks."""
    return (labels, *(row.mask for row in table.rows if row.mask is not None))


def label_scans(
    intake: Intake, table: LabelTable, *, settings: StudySettings, role: Role, site: str
) -> tuple[Entry, ...]:
    """Bring accepted scans and labels together and split them by patient.

    Raises DataError if no labelled scan is left, or as `match` and `assign_splits` do.
    """
    manifest = match(table, list(intake.scans.values()))
    if not manifest.entries:
        raise DataError(
            f"{len(intake.scans)} accepted scans and {len(table.rows)} label rows, none matching.",
            remedy="Compare study_uid or patient_id in the labels file with the DICOM objects.",
        )
    entries = assign_splits(
        manifest.entries,
        role=role,
        fraction=settings.validation_fraction,
        seed=settings.seed,
        site=site,
    )
    _log.info(
        "%d labelled scans, %d without label, %d labels without scan, %d refused",
        len(entries),
        len(manifest.unlabelled),
        len(manifest.unscanned),
        sum(intake.refused.values()),
    )
    return entries


def take_in(
    scans: Path,
    *,
    ingest: IngestSettings,
    settings: StudySettings,
    images: ArrayCache,
    known: Sequence[Path] = (),
    progress: Progress = lambda done, total: None,
) -> Intake:
    """Read every study of a folder once; keep network inputs on disk and count refusals.

    known : files and folders that may lie among the scans and are none, such as the labels.
    """
    index = find_studies(scans)
    accepted: dict[str, ScanRecord] = {}
    refused = _refused_elsewhere(index, known)
    for done, study in enumerate(index.studies, start=1):
        reading = inspect_study(study.files, ingest)
        if reading.scan is not None:
            record = _keep(reading.scan, study, settings, images)
            accepted[record.study_uid] = record
        elif reading.refusal is not None:
            refused[reading.refusal.refusal] += 1
        progress(done, len(index.studies))
    return Intake(accepted, dict(sorted(refused.items())))


def _refused_elsewhere(index: StudyIndex, known: Sequence[Path]) -> Counter[str]:
    """Count what belongs to no nuclear medicine study, each study once by code."""
    places = {path.resolve() for path in known}
    refused = {
        (verdict.verdict, verdict.study_uid or verdict.file)
        for verdict in index.verdicts
        if places.isdisjoint((verdict.file.resolve(), *verdict.file.resolve().parents))
    }
    return Counter(code for code, _ in refused)


def image_key(pixel_sha256: str, settings: StudySettings) -> str:
    """Name a network input in the cache by everything that decides its values."""
    parts = [pixel_sha256, settings.preprocessing, settings.view_height, settings.view_width]
    return hashlib.sha256(json.dumps(["image", *parts]).encode()).hexdigest()


def _keep(
    scan: BoneScan, study: StudyFiles, settings: StudySettings, images: ArrayCache
) -> ScanRecord:
    key = image_key(scan.pixel_sha256, settings)
    if images.get(key) is None:
        images.put(key, _prepare(scan, settings))
    rows_a, columns_a = scan.anterior.counts.shape
    rows_p, columns_p = scan.posterior.counts.shape
    return ScanRecord(
        # Studies without a UID must not stand for each other.
        study_uid=study.study_uid or scan.pixel_sha256,
        patient_id=scan.patient_id,
        pixel_sha256=scan.pixel_sha256,
        synthetic=scan.synthetic,
        geometry=Geometry(
            (rows_a, columns_a),
            (rows_p, columns_p),
            posterior_mirrored=scan.posterior.mirrored,
        ),
        files=study.files,
        scanner=scan.scanner,
        total_counts=float(scan.anterior.counts.sum() + scan.posterior.counts.sum()),
    )


def _prepare(scan: BoneScan, settings: StudySettings) -> NDArray[np.float32]:
    prepared = prepare(
        scan.anterior.counts,
        scan.posterior.counts,
        height=settings.view_height,
        width=settings.view_width,
        profile=settings.preprocessing,
    )
    return prepared.image
