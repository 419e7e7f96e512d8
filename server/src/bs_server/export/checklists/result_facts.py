"""What a study's report says of the external result, each statement with its section.

Values are written by the report's own words, so that they read here as there.
"""

from __future__ import annotations

from collections.abc import Iterator

from bs_server.export.checklists.items import Fact, shown_count
from bs_server.export.measures import CELLS
from bs_server.report import tables, wording
from bs_server.report.evaluated import Evaluated, evaluated
from bs_server.report.maps import MEASURES
from bs_server.report.subgroups import VARIABLES, level_text
from bs_server.results.external_values import Rate, SubgroupTable
from bs_server.results.summary import POOLED, Summary


def not_judged(summary: Summary) -> list[Fact]:
    """Count what evaluate sites had described and could not judge any more, by reason."""
    return [
        Fact(f"Not judged{_at(summary, one)}", "{}: {}", (code, shown_count(count)), "external")
        for one in evaluated(summary)
        for code, count in tables.refusals(one.result, min_cell=one.min_cell)
    ]


def auc(summary: Summary) -> list[Fact]:
    """State the external AUC of every result, with its interval."""
    return [
        Fact(
            f"External AUC{_at(summary, one)}",
            "{} (95 % interval {})",
            (
                wording.number(one.result.auc, 3),
                None if one.result.auc_ci is None else wording.interval("auc", *one.result.auc_ci),
            ),
            "external",
        )
        for one in evaluated(summary)
    ]


def rates(summary: Summary, *names: str) -> list[Fact]:
    """State rates of every result with their intervals; all that the report has by default."""
    return [
        _rate(summary, one, name)
        for one in evaluated(summary)
        for name in names or wording.RATE_LABELS
        if name in one.result.rates or f"rates.{name}" in one.result.hidden
    ]


def confusion(summary: Summary) -> list[Fact]:
    """State the four counts of every result."""
    return [
        Fact(
            f"Calls against labels{_at(summary, one)}",
            ", ".join(f"{cell.upper()} {{}}" for cell in CELLS),
            tuple(wording.count(getattr(one.result, cell)) for cell in CELLS),
            "external",
        )
        for one in evaluated(summary)
    ]


def subgroups(summary: Summary, *variables: str) -> list[Fact]:
    """State sensitivity and specificity of every level that has scans."""
    return [
        fact
        for one, group in _levels(summary, variables)
        for name, key, of in (
            ("Sensitivity", "tpr", (group.tp, group.fn)),
            ("Specificity", "tnr", (group.tn, group.fp)),
        )
        if of != (0, 0)  # no such scan, as none without metastasis has lesions
        for fact in [_level_rate(summary, one, group, name=name, key=key)]
    ]


def scans_by(summary: Summary, *variables: str) -> list[Fact]:
    """Count the calls of every level that has scans, whose sum is its scans."""
    return [
        Fact(
            f"Scans by {_variable(group)}{_at(summary, one)}",
            "{} (" + ", ".join(f"{cell.upper()} {{}}" for cell in CELLS) + ")",
            (level_text(group.level), *(wording.count(getattr(group, cell)) for cell in CELLS)),
            "subgroups",
        )
        for one, group in _levels(summary, variables)
    ]


def agreement(summary: Summary) -> list[Fact]:
    """State how the model's maps agree with masks."""
    return [
        Fact(
            f"Model's map{_at(summary, one)}",
            "{} {} (95 % interval {})",
            (
                MEASURES.get(measure, measure),
                wording.number(rate.value, 3),
                wording.interval("auc", rate.low, rate.high),
            ),
            "maps",
        )
        for one in evaluated(summary)
        if one.result.agreement is not None
        for measure, rate in one.result.agreement.by_source.get("model", {}).items()
    ]


def masks(summary: Summary) -> list[Fact]:
    """Count the scans on which lesions are drawn."""
    return [
        Fact(f"Scans with masks{_at(summary, one)}", "{}", (str(found.scans),), "maps")
        for one in evaluated(summary)
        if (found := one.result.agreement) is not None
    ]


def measures(summary: Summary) -> list[Fact]:
    """Name the measures that the external result has."""
    if summary.external is None:
        return []
    names = [name for name in wording.RATE_LABELS if name in summary.external.rates]
    labels = ("Area under the ROC curve", *(wording.RATE_LABELS[name] for name in names))
    return [Fact("Measure", "{}", (label,), "external") for label in labels]


def external_sites(summary: Summary) -> list[Fact]:
    """Name the sites that judged, and what they had no part in."""
    results = [one.result for one in evaluated(summary)]
    judges = " and ".join(result.site for result in results if result.site != POOLED)
    if not judges:
        return []
    values = (judges, "trained nothing", str(results[0].round))
    return [Fact("Tested at", "{}, {}, asked once, with round {}", values, "external")]


def _rate(summary: Summary, one: Evaluated, name: str) -> Fact:
    rate = one.result.rates.get(name, Rate(value=None, low=None, high=None))
    label = f"{wording.RATE_LABELS.get(name, name)}{_at(summary, one)}"
    value, between = wording.rate(name, rate.value), wording.interval(name, rate.low, rate.high)
    return Fact(label, "{} (95 % interval {})", (value, between), "external")


def _levels(
    summary: Summary, variables: tuple[str, ...]
) -> Iterator[tuple[Evaluated, SubgroupTable]]:
    """Give every level that has scans, or may have, of some variables or all."""
    for one in evaluated(summary):
        for group in one.result.subgroups:
            wanted = not variables or group.variable in variables
            if wanted and any(getattr(group, cell) != 0 for cell in CELLS):
                yield one, group


def _level_rate(
    summary: Summary, one: Evaluated, group: SubgroupTable, *, name: str, key: str
) -> Fact:
    rate: Rate = getattr(group, name.casefold())
    values = (wording.rate(key, rate.value), wording.interval(key, rate.low, rate.high))
    label = f"{name} by {_variable(group)}{_at(summary, one)}"
    return Fact(label, "{} {} ({})", (level_text(group.level), *values), "subgroups")


def _variable(group: SubgroupTable) -> str:
    return VARIABLES.get(group.variable, group.variable).casefold()


def _at(summary: Summary, one: Evaluated) -> str:
    return f", {one.name}" if len(evaluated(summary)) > 1 else ""
