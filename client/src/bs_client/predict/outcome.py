"""What became of each study given to a model, for people, tables and programs."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bs_client.dicom.study import ACCEPTED
from bs_common.files import write_atomic

RESULTS = "results.csv"
_COLUMNS = (
    "case",
    "study_uid",
    "verdict",
    "probability",
    "threshold",
    "call",
    "warnings",
    "overlay",
    "dicom",
    "remark",
    "files",
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One study's result or refusal, or one file that belongs to no study.

    case : number from 1, by which pictures and objects are named; None for a file of no study.
    verdict : ``accepted``, an `E_...` code, or ``failed`` where the model could not read the scan.
    probability : of bone metastases; None unless accepted.
    overlay, dicom : names of the files written for it.
    remark : the refusal in words, or what could not be written.
    """

    case: int | None
    study_uid: str
    files: tuple[Path, ...]
    verdict: str
    threshold: float
    probability: float | None = None
    warnings: tuple[str, ...] = ()
    overlay: str = ""
    dicom: tuple[str, ...] = ()
    remark: str = ""

    @property
    def accepted(self) -> bool:
        """Whether there is a probability."""
        return self.verdict == ACCEPTED

    @property
    def call(self) -> str:
        """``metastasis`` or ``no_metastasis``; empty without a probability."""
        if self.probability is None:
            return ""
        return "metastasis" if self.probability >= self.threshold else "no_metastasis"

    def line(self) -> str:
        """Say the outcome in a line without an identifier, for the terminal."""
        name = "file of no study" if self.case is None else f"case {self.case}"
        if self.probability is None:
            return f"{name}: {self.verdict}: {self.remark}"
        line = f"{name}: probability {self.probability:.3f}, called {self.call.replace('_', ' ')}"
        return f"{line} ({self.remark})" if self.remark else line

    def to_json(self) -> str:
        """Give the outcome as one JSON object on one line."""
        return json.dumps(self._facts())

    def _facts(self) -> dict[str, object]:
        return {
            "case": self.case,
            "study_uid": self.study_uid,
            "verdict": self.verdict,
            "probability": self.probability,
            "threshold": self.threshold,
            "call": self.call,
            "warnings": list(self.warnings),
            "overlay": self.overlay,
            "dicom": list(self.dicom),
            "remark": self.remark,
            "files": [str(file) for file in self.files],
        }

    def row(self) -> list[str]:
        """Give the outcome as a row of the table; several values in one cell stand behind ``;``."""
        facts = self._facts()
        return [_cell(facts[column]) for column in _COLUMNS]


def _cell(value: object) -> str:
    if isinstance(value, list):
        return ";".join(str(part) for part in value)
    if isinstance(value, float):
        return f"{value:.6g}"
    return "" if value is None else str(value)


def write_results(folder: Path, outcomes: Sequence[Outcome]) -> Path:
    """Write `results.csv`, readable by its owner alone: it tells which case is which study."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(_COLUMNS)
    table.writerows(outcome.row() for outcome in outcomes)
    path = folder / RESULTS
    write_atomic(path, text.getvalue().encode("utf-8", errors="replace"), mode=0o600)
    return path


def count_verdicts(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """Count the outcomes by verdict, sorted."""
    return dict(sorted(Counter(outcome.verdict for outcome in outcomes).items()))
