"""Read one study: its files in, one bone scan or one precise refusal out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bs_client.dicom.codes import Finding, IngestWarning, Refusal, refused
from bs_client.dicom.objects import ScanObject, digest_counts, read_object
from bs_client.dicom.partner import Pair, choose_pair, find_pairs
from bs_client.dicom.plausibility import check_height, check_pair
from bs_client.dicom.scan import BoneScan
from bs_client.dicom.settings import IngestSettings
from bs_common.errors import ScanRefused

ACCEPTED = "accepted"


@dataclass(frozen=True, slots=True)
class FileVerdict:
    """What became of one file.

    verdict : ``"accepted"`` or an `E_...` code.
    warnings : `W_...` codes in the order of the rules.
    reason : the refusal in words, empty where accepted.
    evidence : what decided each view, such as ``"anterior by view_code"``; empty where the object
        was refused before its views mattered, for then the reason says what decided.
    study_uid : of a DICOM object that belongs to no nuclear medicine study, such as a CT slice, so
        that the slices of one CT count once; stays at the site.
    """

    file: Path
    verdict: str
    warnings: tuple[str, ...] = ()
    reason: str = ""
    evidence: tuple[str, ...] = ()
    study_uid: str = ""


@dataclass(frozen=True, slots=True)
class StudyReading:
    """A study's scan or its refusal, exactly one of them, and the verdict on each file."""

    scan: BoneScan | None
    refusal: ScanRefused | None
    verdicts: tuple[FileVerdict, ...]


def read_study(files: Sequence[Path], settings: IngestSettings) -> BoneScan:
    """Read the whole-body scan of one study.

    Raises ScanRefused with the code of the rule that decided; a refused object does not matter
    where another pair of the study is complete.
    """
    reading = inspect_study(files, settings)
    if reading.scan is None:
        assert reading.refusal is not None  # noqa: S101 (one of the two is always there)
        raise reading.refusal
    return reading.scan


def inspect_study(files: Sequence[Path], settings: IngestSettings) -> StudyReading:
    """Read one study as `read_study` does, and give a verdict on each file; refuses nothing."""
    objects, refusals = _read_objects(files, settings)
    try:
        pair, scan, findings = _choose(_distinct(objects.values()), refusals, settings)
    except ScanRefused as refusal:
        verdicts = _refused_verdicts(objects, refusals, refusal)
        return StudyReading(None, refusal, _in_order(files, verdicts))
    used = {_identity(one) for one in pair.objects}
    verdicts = _accepted_verdicts(objects, refusals, used, findings)
    return StudyReading(scan, None, _in_order(files, verdicts))


def _read_objects(
    files: Sequence[Path], settings: IngestSettings
) -> tuple[dict[Path, ScanObject], dict[Path, ScanRefused]]:
    objects: dict[Path, ScanObject] = {}
    refusals: dict[Path, ScanRefused] = {}
    for file in files:
        try:
            objects[file] = read_object(file, settings)
        except ScanRefused as refusal:
            refusals[file] = refusal
    return objects, refusals


def _choose(
    objects: Sequence[ScanObject], refusals: Mapping[Path, ScanRefused], settings: IngestSettings
) -> tuple[Pair, BoneScan, tuple[Finding, ...]]:
    if not objects:
        raise _most_advanced(refusals.values())
    pairs = find_pairs(objects)
    if not pairs:
        raise _missing(objects, refusals)
    pair, of_choice = choose_pair(pairs)
    of_pair = check_pair(pair.anterior.counts, pair.posterior.counts)
    findings = (*of_choice, *_height_findings(pair), *of_pair)
    return pair, _scan(pair, findings, settings), findings


def _most_advanced(refusals: Iterable[ScanRefused]) -> ScanRefused:
    """Give the refusal by the latest rule: that object came nearest to a scan."""
    order = list(Refusal)
    none = refused(Refusal.E_NO_PIXELS, "a study without files")
    return max(refusals, key=lambda error: order.index(Refusal[error.refusal]), default=none)


def _missing(objects: Sequence[ScanObject], refusals: Mapping[Path, ScanRefused]) -> ScanRefused:
    views = [view.value for one in objects for view in one.views]
    received = f"{views.count('anterior')} anterior and {views.count('posterior')} posterior views"
    if refusals:
        codes = sorted({error.refusal for error in refusals.values()})
        received += f", other objects refused ({', '.join(codes)})"
    return refused(Refusal.E_VIEW_MISSING, received)


def _height_findings(pair: Pair) -> tuple[Finding, ...]:
    views = (pair.anterior, pair.posterior)
    return tuple(
        finding
        for view in views
        for finding in check_height(view.counts, view.spacing_mm[0] if view.spacing_mm else None)
    )


def _scan(pair: Pair, findings: tuple[Finding, ...], settings: IngestSettings) -> BoneScan:
    posterior = pair.posterior
    mirrored = any(one.warning is IngestWarning.W_PA_MIRRORED for one in findings)
    if mirrored and settings.flip_mirrored_posterior:
        turned = np.ascontiguousarray(posterior.counts[:, ::-1])
        posterior = replace(posterior, counts=turned, mirrored=True)
    header = pair.anterior_object.header
    everything = [*(one for part in pair.objects for one in part.findings), *findings]
    return BoneScan(
        study_uid=header.study_uid,
        patient_id=header.patient_id,
        anterior=pair.anterior,
        posterior=posterior,
        files=tuple(one.header.file for one in pair.objects),
        warnings=_codes(everything),
        scanner=header.scanner,
        pixel_sha256=digest_counts(pair.anterior, posterior),
        synthetic=any(one.header.synthetic for one in pair.objects),
        notes=tuple(f"{one.warning}: {one.detail}" for one in everything if one.detail),
    )


def _codes(findings: Iterable[Finding]) -> tuple[str, ...]:
    found = {one.warning for one in findings}
    return tuple(warning.value for warning in IngestWarning if warning in found)


def _identity(one: ScanObject) -> tuple[str, str]:
    """Tell copies of one object: the same instance UID and the same pixels."""
    return one.header.sop_instance_uid, one.pixel_sha256


def _distinct(objects: Iterable[ScanObject]) -> list[ScanObject]:
    return list({_identity(one): one for one in reversed(list(objects))}.values())[::-1]


def _accepted_verdicts(
    objects: Mapping[Path, ScanObject],
    refusals: Mapping[Path, ScanRefused],
    used: set[tuple[str, str]],
    findings: tuple[Finding, ...],
) -> list[FileVerdict]:
    paired = _paired(objects)
    spare = Finding(IngestWarning.W_MULTIPLE_CANDIDATES)
    verdicts = [_verdict(file, refusal) for file, refusal in refusals.items()]
    for file, one in objects.items():
        if _identity(one) in used:
            verdicts.append(_acceptance(file, one, findings))
        elif _identity(one) in paired:
            verdicts.append(_acceptance(file, one, (spare,)))
        else:
            verdicts.append(_verdict(file, _missing([one], {}), one))
    return verdicts


def _acceptance(file: Path, one: ScanObject, findings: tuple[Finding, ...]) -> FileVerdict:
    warnings = _codes((*one.findings, *findings))
    return FileVerdict(file, ACCEPTED, warnings, evidence=one.evidence)


def _refused_verdicts(
    objects: Mapping[Path, ScanObject],
    refusals: Mapping[Path, ScanRefused],
    refusal: ScanRefused,
) -> list[FileVerdict]:
    paired = _paired(objects)
    verdicts = [_verdict(file, error) for file, error in refusals.items()]
    for file, one in objects.items():
        error = refusal if _identity(one) in paired else _missing([one], {})
        verdicts.append(_verdict(file, error, one))
    return verdicts


def _paired(objects: Mapping[Path, ScanObject]) -> set[tuple[str, str]]:
    pairs = find_pairs(_distinct(objects.values()))
    return {_identity(one) for pair in pairs for one in pair.objects}


def _verdict(file: Path, refusal: ScanRefused, one: ScanObject | None = None) -> FileVerdict:
    warnings = _codes(one.findings if one else ())
    evidence = one.evidence if one else ()
    return FileVerdict(file, refusal.refusal, warnings, str(refusal), evidence)


def _in_order(files: Sequence[Path], verdicts: Iterable[FileVerdict]) -> tuple[FileVerdict, ...]:
    by_file = {verdict.file: verdict for verdict in verdicts}
    return tuple(by_file[file] for file in dict.fromkeys(files))
