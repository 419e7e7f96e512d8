"""Lists with file names and study UIDs: for the site's own eyes, readable by their owner alone."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from bs_client.check.labelled import Labelled
from bs_client.check.reading import CheckedScan
from bs_client.check.report import Report
from bs_common.files import write_atomic

FILES_HEADER = ("file", "verdict", "warnings", "reason", "evidence")
INDEX_NAME, FILES_NAME, LABELS_NAME = "index.csv", "files.csv", "labels.csv"


def write_lists(folder: Path, report: Report, shown: Sequence[CheckedScan]) -> None:
    """Write which scan has which number, what became of each file, and what has no partner.

    shown : the accepted scans in the order of the contact sheet.
    """
    _write(
        folder / INDEX_NAME, ("number", "study_uid", "files", "warnings", "notes"), _index(shown)
    )
    _write(folder / FILES_NAME, FILES_HEADER, _files(report))
    _write(folder / LABELS_NAME, ("fault", "line", "study_uid"), _unmatched(report.labelled))


def _index(shown: Sequence[CheckedScan]) -> Iterable[tuple[object, ...]]:
    for number, scan in enumerate(shown, start=1):
        files = " | ".join(str(file) for file in scan.files)
        yield number, scan.study_uid, files, " ".join(scan.warnings), "; ".join(scan.notes)


def _files(report: Report) -> Iterable[tuple[object, ...]]:
    for one in report.verdicts:
        evidence = "; ".join(one.evidence)
        yield one.file, one.verdict, " ".join(one.warnings), one.reason, evidence


def _unmatched(labelled: Labelled | None) -> Iterable[tuple[object, ...]]:
    if labelled is None or labelled.manifest is None:
        return
    for row in labelled.manifest.unscanned:
        yield "label without scan", row.line, row.study_uid or ""
    for study_uid in labelled.manifest.unlabelled:
        yield "scan without label", "", study_uid


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(header)
    table.writerows(rows)
    # File names need not be UTF-8; the same bytes go into the list.
    write_atomic(path, text.getvalue().encode("utf-8", "surrogateescape"), mode=0o600)
