"""One whole check, from a path to a report and its page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bs_client.check.crew import open_crew
from bs_client.check.inspection import inspect
from bs_client.check.labelled import in_words
from bs_client.check.page import write_pages
from bs_client.check.report import Report, failed_report, make_report
from bs_client.check.source import open_source
from bs_common.errors import BoneScanError

Progress = Callable[[str, int, int], None]  # what is done, how many done, how many in all

REMEDY = "Free some space, or name a folder that can be written: --cache DIR"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a check found, and the page that shows it; None if it could not begin."""

    report: Report
    page: Path | None


def check_path(
    path: Path, *, labels: Path | None, cache: Path | None, workers: int, progress: Progress
) -> Outcome:
    """Check a site's folder, or a folder or file with DICOM objects.

    Wrong settings, labels or paths are no errors but reasons why training could not start.

    Parameters
    ----------
    labels, cache : as for `open_source`.
    workers : number of processes that read.
    """
    try:
        source = open_source(path, labels=labels, cache=cache)
        with open_crew(workers) as crew:
            report = make_report(source, inspect(source, crew, progress=progress))
            page = write_pages(source, report, crew, progress=progress)
    except BoneScanError as error:
        return Outcome(failed_report(in_words(error)), None)
    except OSError as error:  # of a scan it would be a verdict; this is the disk of the results
        return Outcome(failed_report(f"{error.strerror}: {error.filename}. {REMEDY}"), None)
    return Outcome(report, page)
