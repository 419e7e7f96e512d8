"""Scores of a model on single scans, as CSV files, and two such files brought together by scan.

No scan is named in a message: its name may be a patient's.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bs_client.data.cells import Line, split_lines
from bs_client.data.labels import LABEL_WORDS
from bs_common.errors import DataError

# The first one present counts; `case`, `metastasis` and `margin` are those of a site's scores.csv.
SCAN_COLUMNS = ("case", "scan")
LABEL_COLUMNS = ("metastasis", "label")
SCORE_COLUMNS = ("margin", "score", "probability")
LINES_SHOWN = 10

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Scored:
    """One line: whether the scan has metastasis, and its score, higher where it is likelier."""

    line: int
    label: bool
    score: float


@dataclass(frozen=True, slots=True, eq=False)
class PairedScores:
    """The same scans scored by two models, in the order of the first file.

    first, second : (scans,) float64.
    labels : (scans,) True for metastasis.
    """

    first: Values
    second: Values
    labels: NDArray[np.bool_]


def read_scores(path: Path) -> dict[str, Scored]:
    """Read a CSV of scan, label and score by scan: UTF-8, comma or semicolon, a header line.

    Raises
    ------
    DataError
        The file cannot be read, lacks a column, or has lines without scan, label (metastasis or
        no_metastasis, also 1/0, yes/no) or finite score, or a scan twice; the lines are named.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path.name} cannot be read as text ({type(error).__name__}).",
            remedy="Give a CSV file in UTF-8, such as a site's private/scores.csv.",
        ) from error
    lines = split_lines(text, what=path.name)
    header = [word.casefold() for word in lines[0].cells] if lines else []
    places = [_find(header, names, path) for names in (SCAN_COLUMNS, LABEL_COLUMNS, SCORE_COLUMNS)]
    scans: dict[str, Scored] = {}
    faults = []
    for line in lines[1:]:
        scan, scored = _read(line, places)
        if scored is None or scan in scans:
            faults.append(line.number)
        else:
            scans[scan] = scored
    if faults:
        raise DataError(
            f"{path.name}: {_lines(faults)} without a scan of its own, a label and a finite score.",
            remedy="A line has a scan that no other line has, metastasis or no_metastasis (1 or "
            "0), and a number.",
        )
    return scans


def pair_scores(first: Path, second: Path) -> PairedScores:
    """Bring two files together by scan; their lines may stand in different order.

    Raises DataError as `read_scores`, and where the files do not hold the same scans with the same
    labels: a comparison of what happens to be in both would be one of other scans.
    """
    one, other = read_scores(first), read_scores(second)
    alone, other_alone = _lines_beside(one, other), _lines_beside(other, one)
    if alone or other_alone:
        raise DataError(
            f"The files do not hold the same scans: {len(alone)} only in {first.name}"
            f"{_where(alone)}, {len(other_alone)} only in {second.name}{_where(other_alone)}.",
            remedy="Score the same scans with both models, under the same names.",
        )
    differing = [one[scan].line for scan in one if one[scan].label != other[scan].label]
    if differing:
        raise DataError(
            f"The files disagree about the label of {len(differing)} scans"
            f"{_where(differing)} of {first.name}.",
            remedy="Take both files from scans with one and the same labels; case numbers fit "
            "only within one cohort.",
        )
    return PairedScores(
        np.array([scored.score for scored in one.values()], np.float64),
        np.array([other[scan].score for scan in one], np.float64),
        np.array([scored.label for scored in one.values()], bool),
    )


def _find(header: list[str], names: tuple[str, ...], path: Path) -> int:
    found = next((header.index(name) for name in names if name in header), None)
    if found is None:
        raise DataError(
            f"{path.name}: no column {' or '.join(names)}.",
            remedy="Write a header line such as: scan,label,score",
        )
    return found


def _read(line: Line, places: list[int]) -> tuple[str, Scored | None]:
    scan, label, score = (line.cells[at] if at < len(line.cells) else "" for at in places)
    try:
        number = float(score)
    except ValueError:
        number = math.nan
    known = LABEL_WORDS.get(label.casefold())
    if not scan or known is None or not math.isfinite(number):
        return scan, None
    return scan, Scored(line.number, known, number)


def _lines_beside(these: Mapping[str, Scored], others: Mapping[str, Scored]) -> list[int]:
    return [scored.line for scan, scored in these.items() if scan not in others]


def _where(lines: Iterable[int]) -> str:
    known = list(lines)
    return f" ({_lines(known)})" if known else ""


def _lines(lines: list[int]) -> str:
    shown = ", ".join(map(str, lines[:LINES_SHOWN]))
    more = f" and {len(lines) - LINES_SHOWN} more" if len(lines) > LINES_SHOWN else ""
    return f"{'line' if len(lines) == 1 else 'lines'} {shown}{more}"
