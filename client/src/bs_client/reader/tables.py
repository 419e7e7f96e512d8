"""The answers as CSV: for any program, and in the forms that MRMC programs read.

Comments are in the workbook alone: a spreadsheet would take one that begins with "=" in a CSV for
a formula.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from bs_client.reader.readings import BEFORE_MODEL, FinishedAnswer
from bs_common.architecture import CLASSES

Cell = str | int | float
COLUMNS = (
    "reader",
    "session",
    "position",
    "case",
    "practice",
    "arm",
    "revision",
    "final",
    "label",
    "score",
    "call",
    "shown_utc",
    "submitted_utc",
    "wall_s",
    "paused_s",
    "active_s",
    "limit_reached",
    "window_lower",
    "window_upper",
    "window_curve",
)


def answer_row(answer: FinishedAnswer) -> list[Cell]:
    """Write an answer as cells under `COLUMNS`."""
    window = answer.window
    return [
        answer.reader,
        answer.session,
        answer.position,
        answer.code,
        int(answer.practice),
        answer.arm,
        answer.revision,
        int(answer.final),
        CLASSES[int(answer.label)],
        answer.score,
        CLASSES[int(answer.call)],
        utc(answer.shown_ms),
        utc(answer.submitted_ms),
        answer.times.wall_s,
        answer.times.paused_s,
        answer.times.active_s,
        int(answer.limit_reached),
        _number(window.get("lower")),
        _number(window.get("upper")),
        str(window.get("curve", "")),
    ]


def utc(ms: int) -> str:
    """Write a time as ISO 8601, such as ``2026-01-02T03:04:05.678Z``."""
    moment = datetime.fromtimestamp(ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _number(value: object) -> Cell:
    return value if isinstance(value, int | float) else ""


def answers_csv(answers: Iterable[FinishedAnswer]) -> bytes:
    """Write every answer, practice and earlier revisions included."""
    return _csv(COLUMNS, (answer_row(answer) for answer in answers))


def analysed(answers: Iterable[FinishedAnswer]) -> list[FinishedAnswer]:
    """Give the answers that count: final, no practice, in an arm of the comparison."""
    return [one for one in answers if one.final and not one.practice and one.arm != BEFORE_MODEL]


def imrmc_csv(answers: Sequence[FinishedAnswer]) -> bytes:
    """Write the form of the FDA's iMRMC: one row an answer, and one row a case with its truth."""
    counted = analysed(answers)
    labels = {one.code: one.label for one in counted}
    truth: list[list[Cell]] = [
        ["truth", code, "truth", int(label)] for code, label in sorted(labels.items())
    ]
    rows: list[list[Cell]] = [[one.reader, one.code, one.arm, one.score] for one in counted]
    return _csv(("readerID", "caseID", "modalityID", "score"), truth + rows)


def mrmcaov_csv(answers: Sequence[FinishedAnswer]) -> bytes:
    """Write the form that MRMCaov and RJafroc read: the truth stands in every row."""
    rows: list[list[Cell]] = [
        [one.reader, one.arm, one.code, int(one.label), one.score] for one in analysed(answers)
    ]
    return _csv(("reader", "treatment", "case", "truth", "rating"), rows)


def _csv(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> bytes:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(columns)
    table.writerows(rows)
    return text.getvalue().encode()
