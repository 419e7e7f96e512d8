"""Several external results beside each other: counts, AUC and rates, each with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bs_server.report import wording
from bs_server.report.evaluated import Evaluated
from bs_server.report.flow import add
from bs_server.report.tables import RateRow, rate_rows
from bs_server.results.summary import ExternalSummary

_BESIDE = 3  # results beside each other: more do not fit a printed page


@dataclass(frozen=True, slots=True)
class BesideRow:
    """One figure of several results: (value, interval) for each."""

    label: str
    cells: tuple[tuple[str, str], ...]
    published: str


@dataclass(frozen=True, slots=True)
class BesideTable:
    """Results side by side, as many as fit a printed page."""

    names: tuple[str, ...]
    rows: tuple[BesideRow, ...]


def beside_tables(results: Sequence[Evaluated]) -> list[BesideTable]:
    """Put the counts, the AUC and the rates of several results side by side."""
    groups = [results[start : start + _BESIDE] for start in range(0, len(results), _BESIDE)]
    return [_beside(group) for group in groups]


def _beside(results: Sequence[Evaluated]) -> BesideTable:
    found = [{row.label: row for row in _result_rows(one)} for one in results]
    labels = dict.fromkeys(label for rows in found for label in rows)
    rows = []
    for label in labels:
        cells = [rows_of.get(label) for rows_of in found]
        known = next(cell for cell in cells if cell is not None)
        texts = tuple((c.value, c.interval) if c else (wording.GAP, "") for c in cells)
        rows.append(BesideRow(label, texts, known.published))
    return BesideTable(tuple(one.name for one in results), tuple(rows))


def _result_rows(one: Evaluated) -> list[RateRow]:
    counts = [
        RateRow(
            label=label,
            value=wording.cell(
                wording.count(getattr(one.result, name)),
                name,
                one.result.hidden,
                min_cell=one.min_cell,
            ),
            interval="",
            published=wording.GAP,
        )
        for name, label in wording.COUNT_LABELS.items()
    ]
    total = wording.count(add(getattr(one.result, name) for name in wording.COUNT_LABELS))
    scans = RateRow("Scans judged", total or "not shown", "", wording.GAP)
    return [scans, *counts, *rate_rows(one.result), *_further_rows(one.result)]


def _further_rows(external: ExternalSummary) -> list[RateRow]:
    """Give what else is known of the AUC: its bootstrap interval, and a pooled one's bracket."""
    rows = []
    if external.auc_bootstrap_ci is not None:
        between = wording.interval("auc", *external.auc_bootstrap_ci) or wording.GAP
        value = wording.number(external.auc, 3) or wording.GAP
        rows.append(RateRow("AUC, bootstrap interval", value, between, wording.GAP))
    if external.auc_bound is not None:
        bound = f"\N{PLUS-MINUS SIGN} {external.auc_bound:.4f}"
        rows.append(RateRow("AUC, bound that score bins leave", bound, "", wording.GAP))
    return rows
