"""The external evaluation as tables: each evaluate site's answer, and all of them pooled."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from bs_common.bins import probability_of
from bs_server.export.measures import CELLS, external_measures
from bs_server.export.table import HIDDEN, Cell, Table, why_hidden
from bs_server.report.calibration import observed_share
from bs_server.report.evaluated import evaluated
from bs_server.results.external_values import Rate
from bs_server.results.summary import ExternalSummary, Summary

Row = tuple[Cell, ...]

_ENDS = ("value", "low", "high")
_SUFFIXES = ("", "_low", "_high")
# Parts of a measure's name that have a table of their own.
_SUBGROUP, _MAPS = "subgroup", ("map", "artefact")


def external_tables(summary: Summary) -> list[Table]:
    """Give the tables of every answer; a hidden cell is empty, with the reason beside it."""
    answers = [one.result for one in evaluated(summary)]

    def table(
        name: str,
        title: str,
        columns: tuple[str, ...],
        of: Callable[[ExternalSummary], Iterable[Row]],
    ) -> Table:
        rows = ((external.site, *row) for external in answers for row in of(external))
        return Table(name, title, ("site", *columns), tuple(rows))

    rates = [f"{rate}{end}" for rate in ("sensitivity", "specificity") for end in _SUFFIXES]
    between = ("from_probability", "to_probability")
    return [
        table(
            "external",
            "External result with 95 % intervals",
            ("round", "threshold", "measure", *_ENDS, "scans", "method", HIDDEN),
            _external,
        ),
        table("roc", "ROC curve, binned at the sites", ("fpr", "tpr", HIDDEN), _roc),
        table(
            "scores",
            "Scans by score (probability of metastasis)",
            (*between, "no_metastasis", "metastasis", HIDDEN),
            _scores,
        ),
        table(
            "calibration",
            "Observed against predicted share of metastasis",
            (*between, "scans", "metastasis", "observed_share", HIDDEN),
            _calibration,
        ),
        table(
            "decision_curve",
            "Net benefit a scan of acting from a probability on",
            ("probability", "model", "everybody", "nobody"),
            _benefit,
        ),
        table(
            "subgroups",
            "Calls at the threshold by subgroup",
            ("variable", "level", *CELLS, *rates, HIDDEN),
            _subgroups,
        ),
        table(
            "maps",
            "Maps against masks, and where no metastasis can be",
            ("of", "measure", *_ENDS, "scans", "method", HIDDEN),
            _maps,
        ),
    ]


def _external(external: ExternalSummary) -> Iterator[Row]:
    for name, measure in external_measures(external).items():
        if name.split(".")[0] not in (_SUBGROUP, *_MAPS):
            ends = (measure.value, measure.low, measure.high)
            shown = (external.round, external.threshold, name, *ends)
            yield *shown, measure.n, measure.method, measure.reason


def _roc(external: ExternalSummary) -> Iterator[Row]:
    if external.roc is None:
        yield from _gap(external, "roc", columns=2)
    else:
        for point in zip(external.roc.fpr, external.roc.tpr, strict=True):
            yield *point, None


def _scores(external: ExternalSummary) -> Iterator[Row]:
    if external.scores is None:
        yield from _gap(external, "scores", columns=4)
        return
    ends = [0.0, *(probability_of(edge) for edge in external.scores.edges), 1.0]
    table = external.scores
    yield from (
        (*row, None)
        for row in zip(ends[:-1], ends[1:], table.no_metastasis, table.metastasis, strict=True)
    )


def _calibration(external: ExternalSummary) -> Iterator[Row]:
    if external.calibration is None:
        yield from _gap(external, "calibration", columns=5)
    for index, entry in enumerate(external.calibration or ()):
        cells = {"scans": "count", "metastasis": "positives"}
        names = {column: f"calibration.{index}.{name}" for column, name in cells.items()}
        why = why_hidden(names, external.hidden)
        counts = (entry.count, entry.positives)
        yield entry.low, entry.high, *counts, observed_share(entry), why


def _benefit(external: ExternalSummary) -> Iterator[Row]:
    for point in external.decision_curve:
        yield point.probability, point.model, point.everybody, 0.0


def _subgroups(external: ExternalSummary) -> Iterator[Row]:
    for group in external.subgroups:
        prefix = f"subgroup.{group.variable}.{group.level}"
        why = why_hidden({cell: f"{prefix}.{cell}" for cell in CELLS}, external.hidden)
        counts = (getattr(group, cell) for cell in CELLS)
        rates = (*_whole(group.sensitivity), *_whole(group.specificity))
        yield group.variable, group.level, *counts, *rates, why


def _maps(external: ExternalSummary) -> Iterator[Row]:
    for name, measure in external_measures(external).items():
        kind, _, rest = name.partition(".")
        if kind in _MAPS:
            of, _, what = (rest or "model.all").partition(".")
            if kind == "artefact":
                of, what = "model", f"share {rest}"
            ends = (measure.value, measure.low, measure.high)
            yield of, what, *ends, measure.n, measure.method, measure.reason


def _whole(rate: Rate) -> tuple[float | None, float | None, float | None]:
    return rate.value, rate.low, rate.high


def _gap(external: ExternalSummary, name: str, *, columns: int) -> Iterator[Row]:
    """Give one empty row that says why, where the site hides the whole table."""
    if name in external.hidden:
        yield *([None] * columns), external.hidden[name]
