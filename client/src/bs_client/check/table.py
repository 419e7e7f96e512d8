"""The report as tables for a terminal; counts, codes and sentences, no names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bs_client.check.labelled import Labelled
from bs_client.check.report import Report
from bs_client.data.cohort import HEADINGS, CohortTable, table_rows
from bs_client.dicom.codes import IngestWarning, Refusal


@dataclass(frozen=True, slots=True)
class CodeRow:
    """One code of a table: on how many files and studies, what it means and what to do."""

    code: str
    files: int
    studies: int
    meaning: str
    remedy: str


def refusal_rows(report: Report) -> tuple[CodeRow, ...]:
    """Give the refusals that were found, in the order of the rules."""
    return _rows(Refusal, report.refused, dict(report.studies_refused))


def warning_rows(report: Report) -> tuple[CodeRow, ...]:
    """Give the warnings that were found, in the order of the rules."""
    return _rows(IngestWarning, report.warned, report.scans_warned)


def _rows(
    codes: type[Refusal] | type[IngestWarning], files: Mapping[str, int], studies: Mapping[str, int]
) -> tuple[CodeRow, ...]:
    return tuple(
        CodeRow(code.value, files.get(code, 0), studies.get(code, 0), code.meaning, code.remedy)
        for code in codes
        if code in files or code in studies
    )


def summary(report: Report) -> str:
    """Say in one line how many files and scans were accepted."""
    refused = sum(report.refused.values())
    studies = sum(number for _, number in report.studies_refused)
    return (
        f"{len(report.verdicts)} files: {report.accepted} accepted, {refused} refused. "
        f"Studies: {len(report.scans)} accepted, {studies} refused."
    )


def duplicates_line(report: Report) -> str:
    """Say in one line how many scans hold the same pixels; empty where none do."""
    if not report.duplicates:
        return ""
    copies = sum(len(group) for group in report.duplicates)
    return f"{copies} scans of several studies hold only {len(report.duplicates)} different images."


def labels_line(labelled: Labelled) -> str:
    """Say in one line how labels and scans fit."""
    manifest = labelled.manifest
    if manifest is None:
        return f"Labels: {labelled.rows} lines, not brought together with the scans."
    return (
        f"Labels: {labelled.rows} lines, {len(manifest.entries)} labelled scans, "
        f"{len(manifest.unscanned)} labels without scan, "
        f"{len(manifest.unlabelled)} scans without label, "
        f"{manifest.duplicates} copies left out."
    )


def render(report: Report) -> RenderableType:
    """Give everything that a person should see at the end of a check."""
    parts: list[RenderableType] = [Text(summary(report))]
    for title, rows in (
        ("Refused", refusal_rows(report)),
        ("Accepted with a warning", warning_rows(report)),
    ):
        if rows:
            parts.append(_code_table(title, rows))
    if report.duplicates:
        parts.append(Text(f"Duplicates: {duplicates_line(report)}"))
    if report.labelled is not None:
        parts.append(Text(labels_line(report.labelled)))
        if report.labelled.cohort.groups:
            parts.append(cohort_table(report.labelled.cohort))
    parts += [Text(remark) for remark in report.remarks]
    return Group(*parts)


def _code_table(title: str, rows: tuple[CodeRow, ...]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", expand=True)
    table.add_column("code", no_wrap=True)
    table.add_column("files", justify="right")
    table.add_column("studies", justify="right")
    table.add_column("meaning", ratio=1, overflow="fold")
    table.add_column("what to do", ratio=1, overflow="fold")
    for row in rows:
        table.add_row(row.code, str(row.files), str(row.studies), row.meaning, row.remedy)
    return table


def cohort_table(cohort: CohortTable) -> Table:
    """Give the cohort's groups as a table."""
    table = Table(title="Cohort", title_justify="left", title_style="bold")
    for heading in HEADINGS:
        table.add_column(heading, overflow="fold", no_wrap=heading in ("split", "class"))
    for row in table_rows(cohort):
        table.add_row(*(Text(cell) for cell in row))
    return table
