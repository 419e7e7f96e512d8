"""The page that shows a check: tables, contact sheet and where to find a scan again."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bs_client.check.contact_sheet import Progress, doubtful_first, lay_out, write_sheet
from bs_client.check.crew import Crew
from bs_client.check.details import write_lists
from bs_client.check.inspection import PICTURES
from bs_client.check.report import Report
from bs_client.check.source import Source
from bs_client.check.table import duplicates_line, labels_line, refusal_rows, summary, warning_rows
from bs_client.data.cohort import HEADINGS, table_rows
from bs_common.files import write_atomic
from bs_common.settings import StudySettings

TEMPLATES = Path(__file__).parent / "templates"
PAGE_NAME = "index.html"


def write_pages(source: Source, report: Report, crew: Crew, *, progress: Progress) -> Path:
    """Write the contact sheet, its page and the lists with names; give the page's path.

    All files are readable by their owner alone. Raises OSError if they cannot be written.
    """
    shown = doubtful_first(report.scans)
    sheet = lay_out(
        shown,
        source.cache / PICTURES,
        title=_title(report),
        legend=_legend(source.settings),
    )
    write_lists(source.pages, report, shown)
    pictures = write_sheet(sheet, source.pages, crew, progress=progress)
    page = source.pages / PAGE_NAME
    write_atomic(page, _html(source, report, pictures).encode(), mode=0o600)
    return page


def _title(report: Report) -> str:
    mark = ", SYNTHETIC" if any(scan.synthetic for scan in report.scans) else ""
    return f"{len(report.scans)} accepted scans{mark}"


def _legend(settings: StudySettings) -> str:
    return (
        "What the network sees, anterior left, posterior right (as seen from behind); "
        f"{settings.preprocessing} profile, {settings.view_height} x {settings.view_width} pixels "
        "a view. Drawn black on white, as the square root. Framed: accepted with a warning."
    )


def _html(source: Source, report: Report, pictures: tuple[Path, ...]) -> str:
    labelled = report.labelled
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("check.html").render(
        ready=report.ready,
        reasons=report.reasons,
        remarks=report.remarks,
        summary=summary(report),
        labels=labels_line(labelled) if labelled else "",
        headings=HEADINGS,
        cohort=table_rows(labelled.cohort) if labelled else (),
        duplicates=duplicates_line(report),
        tables=(
            ("Refused", refusal_rows(report)),
            ("Accepted with a warning", warning_rows(report)),
        ),
        legend=_legend(source.settings),
        pictures=[picture.name for picture in pictures],
    )
