"""The result of a check: accepted, refused, warned of, and whether training could start."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

from bs_client.check.inspection import Inspection
from bs_client.check.labelled import Labelled, bring_together
from bs_client.check.reading import CheckedScan
from bs_client.check.source import Source
from bs_client.data.cohort import HEADINGS, CohortTable, table_rows
from bs_client.dicom.study import ACCEPTED, FileVerdict


@dataclass(frozen=True, slots=True)
class Report:
    """What a check found.

    verdicts : on every file, by path.
    scans : the accepted scans, in the order of their first files.
    studies_refused : number of studies by the `E_...` code that decided.
    remembered : number of studies that were not decoded again.
    labelled : None where no labels file was given.
    reasons : why training could not start; empty if it could.
    remarks : what does not stop training, yet should be known.
    """

    verdicts: tuple[FileVerdict, ...] = ()
    scans: tuple[CheckedScan, ...] = ()
    studies_refused: tuple[tuple[str, int], ...] = ()
    remembered: int = 0
    labelled: Labelled | None = None
    reasons: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def ready(self) -> bool:
        """Whether training could start."""
        return not self.reasons

    @property
    def accepted(self) -> int:
        """Number of accepted files."""
        return sum(verdict.verdict == ACCEPTED for verdict in self.verdicts)

    @property
    def refused(self) -> dict[str, int]:
        """Number of refused files by code."""
        codes = Counter(one.verdict for one in self.verdicts if one.verdict != ACCEPTED)
        return dict(sorted(codes.items()))

    @property
    def warned(self) -> dict[str, int]:
        """Number of accepted files by warning."""
        accepted = (one for one in self.verdicts if one.verdict == ACCEPTED)
        codes = Counter(warning for one in accepted for warning in one.warnings)
        return dict(sorted(codes.items()))

    @property
    def scans_warned(self) -> dict[str, int]:
        """Number of accepted scans by warning."""
        codes = Counter(warning for scan in self.scans for warning in scan.warnings)
        return dict(sorted(codes.items()))

    @property
    def duplicates(self) -> tuple[tuple[CheckedScan, ...], ...]:
        """Groups of scans with equal pixels under several studies."""
        by_pixels: dict[str, list[CheckedScan]] = defaultdict(list)
        for scan in self.scans:
            by_pixels[scan.pixel_sha256].append(scan)
        return tuple(tuple(group) for group in by_pixels.values() if len(group) > 1)


def make_report(source: Source, inspection: Inspection) -> Report:
    """Bring what was read together with the labels."""
    scans = tuple(record.scan for record in inspection.studies if record.scan is not None)
    refusals = Counter(record.refusal for record in inspection.studies if record.scan is None)
    labelled = None if source.labels is None else bring_together(source.labels, scans, source)
    reasons = labelled.reasons if labelled else ()
    if not scans:
        reasons = ("No scan was accepted; the table says why, by code.", *reasons)
    return Report(
        verdicts=inspection.verdicts,
        scans=scans,
        studies_refused=tuple(sorted(refusals.items())),
        remembered=inspection.remembered,
        labelled=labelled,
        reasons=reasons,
        remarks=_remarks(scans),
    )


def failed_report(reason: str) -> Report:
    """Give the report of a check that could not begin."""
    return Report(reasons=(reason,))


def _remarks(scans: tuple[CheckedScan, ...]) -> tuple[str, ...]:
    remarks = []
    unnamed = sum(not scan.study_uid for scan in scans)
    if unnamed > 1:
        remarks.append(
            f"{unnamed} accepted scans state no Study Instance UID (0020,000D); training keeps "
            "one of them. Export them with their UIDs."
        )
    synthetic = sum(scan.synthetic for scan in scans)
    if synthetic:
        remarks.append(f"{synthetic} scans say that they are synthetic.")
    return tuple(remarks)


def as_json(report: Report, *, page: Path | None) -> dict[str, object]:
    """Give the report as plain values; file names and paths are in it, so it stays at the site."""
    return {
        "ready": report.ready,
        "reasons": list(report.reasons),
        "remarks": list(report.remarks),
        "accepted": report.accepted,
        "refused": report.refused,
        "warned": report.warned,
        "studies": {
            "accepted": len(report.scans),
            "refused": dict(report.studies_refused),
            "warned": report.scans_warned,
            "remembered": report.remembered,
        },
        "duplicates": [[str(one.files[0]) for one in group] for group in report.duplicates],
        "labels": _labels(report.labelled),
        "cohort": _cohort(report.labelled),
        "page": None if page is None else str(page),
        "files": [
            {
                "file": str(one.file),
                "verdict": one.verdict,
                "warnings": list(one.warnings),
                "reason": one.reason,
                "evidence": list(one.evidence),
            }
            for one in report.verdicts
        ],
    }


def _labels(labelled: Labelled | None) -> dict[str, int] | None:
    if labelled is None:
        return None
    manifest = labelled.manifest
    return {
        "rows": labelled.rows,
        "scans": len(manifest.entries) if manifest else 0,
        "labels_without_scan": len(manifest.unscanned) if manifest else 0,
        "scans_without_label": len(manifest.unlabelled) if manifest else 0,
        "duplicates_left_out": manifest.duplicates if manifest else 0,
    }


def _cohort(labelled: Labelled | None) -> list[dict[str, str]]:
    return [] if labelled is None else cohort_as_json(labelled.cohort)


def cohort_as_json(cohort: CohortTable) -> list[dict[str, str]]:
    """Give each group of a cohort table under its headings."""
    return [dict(zip(HEADINGS, row, strict=True)) for row in table_rows(cohort)]
