"""Making a reader study: scans are drawn, their counts copied under codes, the orders drawn."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from bs_client.check.source import Source
from bs_client.data.labels import read_labels
from bs_client.data.manifest import Entry, match
from bs_client.data.splits import assign_splits
from bs_client.dicom.discovery import find_studies
from bs_client.dicom.scan import BoneScan
from bs_client.dicom.study import inspect_study, read_study
from bs_client.evaluation.inference_time import InferenceTime
from bs_client.reader.case_image import CaseImage, write_case_image
from bs_client.reader.case_key import KeyRow, write_key
from bs_client.reader.model_results import ModelResult, copy_map
from bs_client.reader.plan import plan_readings
from bs_client.reader.protocol import Protocol, ReaderStudyFolder
from bs_client.reader.records import ShownResult
from bs_client.reader.sample import Sample
from bs_client.reader.store import Store
from bs_common.errors import ConfigError, DataError
from bs_common.files import write_atomic
from bs_common.joining import write_document

Progress = Callable[[str, int, int], None]  # what is done, how many, of how many


@dataclass(frozen=True, slots=True)
class AcceptedScans:
    """The labelled scans that a study can be drawn from.

    files : of each study, by study UID.
    synthetic : study UIDs of scans that were made artificially.
    """

    entries: tuple[Entry, ...]
    files: Mapping[str, tuple[Path, ...]]
    synthetic: frozenset[str]


def find_accepted(source: Source, *, progress: Progress) -> AcceptedScans:
    """Read every study of a source as training would and keep the accepted ones with a label.

    Raises
    ------
    DataError
        The labels file is faulty or missing, or no accepted scan has a label.
    """
    if source.labels is None:
        raise DataError("There are no labels.", remedy="Give the labels file with --labels.")
    table = read_labels(source.labels)
    studies = find_studies(source.scans).studies
    scans: list[_Facts] = []
    for done, study in enumerate(studies, start=1):
        reading = inspect_study(study.files, source.ingest)
        if reading.scan is not None:
            scans.append(_facts(reading.scan, study.study_uid))
        progress("scans read", done, len(studies))
    entries = match(table, scans).entries
    if not entries:
        raise DataError(
            f"{len(scans)} accepted scans and {len(table.rows)} label rows, none matching.",
            remedy="Compare study_uid or patient_id in the labels file with the DICOM objects.",
        )
    if source.role is not None:
        entries = assign_splits(
            entries,
            role=source.role,
            fraction=source.settings.validation_fraction,
            seed=source.settings.seed,
            site=source.site,
        )
    return AcceptedScans(
        entries=entries,
        files={scan.study_uid: scan.files for scan in scans},
        synthetic=frozenset(scan.study_uid for scan in scans if scan.synthetic),
    )


@dataclass(frozen=True, slots=True)
class _Facts:
    """What is kept of a scan until the sample is drawn; its counts are read again."""

    study_uid: str
    patient_id: str
    pixel_sha256: str
    synthetic: bool
    files: tuple[Path, ...]


def _facts(scan: BoneScan, study_uid: str) -> _Facts:
    uid = study_uid or scan.pixel_sha256  # as training names a study without a UID
    return _Facts(uid, scan.patient_id, scan.pixel_sha256, scan.synthetic, scan.files)


@dataclass(frozen=True, slots=True)
class Model:
    """What is known of the model that readers are compared with.

    results : by study UID; empty for readers alone.
    time : how long it takes for a scan, or None where that was not measured.
    """

    results: Mapping[str, ModelResult]
    time: InferenceTime | None


def make_study(
    folder: ReaderStudyFolder,
    protocol: Protocol,
    sample: Sample,
    accepted: AcceptedScans,
    *,
    source: Source,
    model: Model,
    progress: Progress,
) -> None:
    """Write the whole folder of a study; it appears complete or not at all.

    Raises
    ------
    ConfigError
        The folder exists, or a case of the sample has no result (or no map, where readers would
        see it).
    """
    if folder.path.exists():
        raise ConfigError(
            f"{folder.path} exists already.", remedy="Give the new study a folder of its own."
        )
    everything = (*sample.cases, *sample.practice)
    if model.results:
        _check_results(everything, model.results, shown=protocol.with_ai)
    made = ReaderStudyFolder(folder.path.with_name(f".{folder.path.name}.new"))
    shutil.rmtree(made.path, ignore_errors=True)
    made.path.mkdir(mode=0o700, parents=True)
    try:
        _write(made, protocol, sample, accepted, source=source, model=model, progress=progress)
        made.path.rename(folder.path)
    finally:
        shutil.rmtree(made.path, ignore_errors=True)


def _check_results(
    entries: Sequence[Entry], results: Mapping[str, ModelResult], *, shown: bool
) -> None:
    without = sum(entry.study_uid not in results for entry in entries)
    found = [results[entry.study_uid] for entry in entries if entry.study_uid in results]
    mapless = sum(result.map_picture is None for result in found) if shown else 0
    if without or mapless:
        raise ConfigError(
            f"{without} of {len(entries)} cases have no result of the model, {mapless} no map.",
            remedy="Run `bs-client predict` with maps on the scans of the study.",
        )


def _write(
    folder: ReaderStudyFolder,
    protocol: Protocol,
    sample: Sample,
    accepted: AcceptedScans,
    *,
    source: Source,
    model: Model,
    progress: Progress,
) -> None:
    folder.images.mkdir(mode=0o700)
    codes = _codes(sample)
    images: dict[str, CaseImage] = {}
    shown: dict[str, ShownResult] = {}
    for done, (code, entry) in enumerate(codes.items(), start=1):
        scan = read_study(accepted.files[entry.study_uid], source.ingest)
        images[code] = write_case_image(folder.images / f"{code}.u16", scan)
        if protocol.with_ai:
            shown[code] = _keep_result(folder, code, model.results[entry.study_uid])
        progress("cases written", done, len(codes))
    cases = [code for code in codes if code.startswith("C")]
    practice = [code for code in codes if code.startswith("P")]
    write_document(folder.protocol, protocol)
    if source.site_folder is not None:
        write_atomic(folder.site, f"{source.site_folder.resolve()}\n".encode(), mode=0o600)
    if model.time is not None:
        write_document(folder.model_time, model.time)
    write_key(folder.key, [_key_row(code, entry, model.results) for code, entry in codes.items()])
    store = Store(folder.database, create=True)
    store.put_study(
        facts={"protocol_sha256": protocol.sha256(), "version": version("bs-client")},
        images=images,
        results=shown,
        readings=plan_readings(protocol, cases, practice),
    )
    store.close()


def _codes(sample: Sample) -> dict[str, Entry]:
    """Name the cases C001, C002, ... and the practice cases P01, P02, ..."""
    cases = {f"C{number:03d}": entry for number, entry in enumerate(sample.cases, start=1)}
    practice = {f"P{number:02d}": entry for number, entry in enumerate(sample.practice, start=1)}
    return cases | practice


def _keep_result(folder: ReaderStudyFolder, code: str, result: ModelResult) -> ShownResult:
    if result.map_picture is not None:
        folder.maps.mkdir(mode=0o700, exist_ok=True)
        copy_map(result.map_picture, folder.maps / f"{code}.png")
    return ShownResult(result.probability, result.threshold, result.map_picture is not None)


def _key_row(code: str, entry: Entry, results: Mapping[str, ModelResult]) -> KeyRow:
    result = results.get(entry.study_uid)
    return KeyRow(
        code=code,
        study_uid=entry.study_uid,
        label=entry.label,
        practice=code.startswith("P"),
        model_probability=None if result is None else result.probability,
        model_threshold=None if result is None else result.threshold,
    )
