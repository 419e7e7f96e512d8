"""What is written into a study's export folder: tables, metrics, checklist drafts."""

from __future__ import annotations

import datetime
import hashlib
import shutil
from pathlib import Path

from bs_common.errors import ConfigError
from bs_common.files import storing_in, write_atomic
from bs_server.config import StudyFolder
from bs_server.export.checklists.claim import CLAIM
from bs_server.export.checklists.items import fill
from bs_server.export.checklists.markdown import write_markdown
from bs_server.export.checklists.report_text import ReportText
from bs_server.export.checklists.stard import STARD
from bs_server.export.checklists.word import write_word
from bs_server.export.metrics import collect_metrics, metrics_json, metrics_schema
from bs_server.export.table import csv_of
from bs_server.export.tables import all_tables
from bs_server.export.workbook import write_workbook
from bs_server.results.summary import Summary, read_summary

WORKBOOK = "tables.xlsx"


def export_study(folder: StudyFolder) -> tuple[Path, ...]:
    """Write everything again from `summary.json`, and give the files; safe to repeat.

    Raises ConfigError if the study has no readable summary, StorageFailed if a file cannot be
    written.
    """
    content = _contents(read_summary(folder.summary), folder)
    with storing_in(folder.path):
        folder.export.mkdir(exist_ok=True)
        # A table that this summary has not must not stay from an earlier one.
        shutil.rmtree(folder.export / "tables", ignore_errors=True)
        (folder.export / "tables").mkdir()
    for name, data in content.items():
        write_atomic(folder.export / name, data)
    return tuple(folder.export / name for name in content)


def _contents(summary: Summary, folder: StudyFolder) -> dict[str, bytes]:
    """Give every file's name and content; drafts are filled from the report that lies there."""
    tables = all_tables(summary)
    digest = hashlib.sha256(folder.summary.read_bytes()).hexdigest()
    return {
        "metrics.json": metrics_json(collect_metrics(summary, summary_sha256=digest)),
        "metrics.schema.json": metrics_schema(),
        WORKBOOK: write_workbook(summary, tables),
        **_drafts(summary, folder.report),
        **{f"tables/{table.name}.csv": csv_of(table) for table in tables},
    }


def _drafts(summary: Summary, report: Path) -> dict[str, bytes]:
    if not report.exists():
        raise ConfigError(
            f"{report.parent} holds no {report.name}, from which the checklist drafts are filled.",
            remedy="Write it with: bs-server report STUDY_DIR",
        )
    shown = ReportText(report.read_text(encoding="utf-8"))
    finished = datetime.datetime.fromisoformat(summary.finished)
    files = {}
    for checklist in (STARD, CLAIM):
        draft = fill(checklist, summary, shown)
        markdown = write_markdown(draft, report=f"../{report.name}")
        files[f"{checklist.name}.md"] = markdown.encode()
        files[f"{checklist.name}.docx"] = write_word(draft, finished=finished)
    return files
