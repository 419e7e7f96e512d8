"""What is written into a study's export folder: tables, metrics, checklist drafts."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from bs_common.files import storing_in, write_atomic
from bs_server.config import StudyFolder
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
    tables = all_tables(summary)
    digest = hashlib.sha256(folder.summary.read_bytes()).hexdigest()
    return {
        "metrics.json": metrics_json(collect_metrics(summary, summary_sha256=digest)),
        "metrics.schema.json": metrics_schema(),
        WORKBOOK: write_workbook(summary, tables),
        **{f"tables/{table.name}.csv": csv_of(table) for table in tables},
    }
