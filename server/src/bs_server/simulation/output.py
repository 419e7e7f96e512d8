"""What a simulation leaves: the comparison as JSON, as CSV and as a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bs_common.files import write_atomic
from bs_server.report.comparison import comparison_csv
from bs_server.report.simulation import render_simulation
from bs_server.results.comparison import Comparison
from bs_server.results.summary import Summary


@dataclass(frozen=True, slots=True)
class Written:
    """The files that a simulation leaves."""

    json: Path
    csv: Path
    page: Path


def write_results(
    folder: Path, comparison: Comparison, studies: Sequence[Summary], *, remarks: Sequence[str]
) -> Written:
    """Write all of them; `studies` are the federated one of each seed."""
    written = Written(
        folder / "comparison.json", folder / "comparison.csv", folder / "comparison.html"
    )
    write_atomic(written.json, (comparison.model_dump_json(indent=2) + "\n").encode())
    write_atomic(written.csv, comparison_csv(comparison).encode())
    write_atomic(written.page, render_simulation(comparison, studies, remarks=remarks).encode())
    return written
