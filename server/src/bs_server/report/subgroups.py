"""Sensitivity and specificity among the scans of one kind: a table and a figure with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bs_server.report import wording
from bs_server.report.drawing import MAIN, QUIET, inline_svg, report_style
from bs_server.report.evaluated import Evaluated
from bs_server.results.external_values import Rate, SubgroupTable

VARIABLES = {
    "sex": "Sex",
    "age": "Age, years",
    "scanner": "Scanner",
    "counts": "Counts of both views",
    "lesions": "Spots in the masks",
}
LEVELS = {
    "under-50": "under 50",
    "50-to-64": "50 to 64",
    "65-to-74": "65 to 74",
    "75-and-over": "75 and over",
    "siemens": "Siemens",
    "ge": "GE",
    "philips": "Philips",
    "under-1m": "under 1 million",
    "1m-to-3m": "1 to 3 million",
    "3m-and-over": "3 million and over",
    "1-to-2": "1 to 2",
    "3-to-9": "3 to 9",
    "10-and-over": "10 and over",
}
CELLS = ("tp", "fn", "tn", "fp")
_ROW_INCH = 0.24


@dataclass(frozen=True, slots=True)
class LevelRow:
    """One level of a variable: four counts, then two rates with their intervals."""

    level: str
    counts: tuple[str, ...]
    sensitivity: str
    specificity: str


@dataclass(frozen=True, slots=True)
class VariableRows:
    """A variable with the levels that have scans."""

    variable: str
    levels: tuple[LevelRow, ...]


def subgroup_rows(one: Evaluated) -> list[VariableRows]:
    """Give the rows of every variable; a level without any scan is left out."""
    groups = _with_scans(one.result.subgroups)
    return [
        VariableRows(
            VARIABLES.get(variable, variable),
            tuple(_level_row(group, one) for group in groups if group.variable == variable),
        )
        for variable in dict.fromkeys(group.variable for group in groups)
    ]


def subgroups_figure(one: Evaluated) -> Markup | None:
    """Draw both rates of every level with intervals; None where all are hidden or absent."""
    groups = [
        group
        for group in _with_scans(one.result.subgroups)
        if group.sensitivity.value is not None or group.specificity.value is not None
    ]
    if not groups:
        return None
    with report_style():
        figure = Figure(figsize=(7.2, 0.9 + _ROW_INCH * len(groups)))
        left, right = figure.subplots(1, 2, sharey=True, gridspec_kw={"wspace": 0.12})
        for axes, name, rate in ((left, "Sensitivity", "tpr"), (right, "Specificity", "tnr")):
            overall = one.result.rates.get(rate)
            _draw_rates(axes, [getattr(group, name.lower()) for group in groups], overall)
            axes.set_xlabel(f"{name} (share of scans, 0 to 1)")
        names = [f"{VARIABLES.get(g.variable, g.variable)}: {level_text(g.level)}" for g in groups]
        left.set_yticks(range(len(groups)), names)
        left.set_ylim(len(groups) - 0.4, -0.6)
        for edge, (before, after) in enumerate(pairwise(groups)):
            if before.variable != after.variable:
                for axes in (left, right):
                    axes.axhline(edge + 0.5, color=QUIET, linewidth=0.5, alpha=0.6)
        spoken = f"Sensitivity and specificity of {one.name} by subgroup; the table below gives"
        return inline_svg(figure, "subgroups", f"{spoken} the values.")


def level_text(level: str) -> str:
    """Give a level in words."""
    return LEVELS.get(level, level)


def _draw_rates(axes: Axes, rates: Sequence[Rate], overall: Rate | None) -> None:
    for place, rate in enumerate(rates):
        if rate.value is None:
            continue
        if rate.low is not None and rate.high is not None:
            axes.plot([rate.low, rate.high], [place, place], color=MAIN, linewidth=1.2)
        axes.plot([rate.value], [place], "o", color=MAIN, markersize=4.5)
    if overall is not None and overall.value is not None:
        axes.axvline(overall.value, color=QUIET, linewidth=1, linestyle="--", zorder=0)
        axes.set_title(f"dashed: all scans, {overall.value:.3f}", fontsize=8)
    axes.set(xlim=(-0.02, 1.02), xticks=[0, 0.2, 0.4, 0.6, 0.8, 1.0])
    axes.grid(axis="x", color=QUIET, alpha=0.25, linewidth=0.6)
    axes.tick_params(axis="y", length=0)


def _with_scans(groups: Sequence[SubgroupTable]) -> list[SubgroupTable]:
    return [group for group in groups if any(getattr(group, cell) != 0 for cell in CELLS)]


def _level_row(group: SubgroupTable, one: Evaluated) -> LevelRow:
    prefix = f"subgroup.{group.variable}.{group.level}"
    hidden = one.result.hidden
    counts = tuple(
        wording.cell(
            wording.count(getattr(group, cell)), f"{prefix}.{cell}", hidden, min_cell=one.min_cell
        )
        for cell in CELLS
    )
    return LevelRow(
        level=level_text(group.level),
        counts=counts,
        sensitivity=_rate_text(group.sensitivity),
        specificity=_rate_text(group.specificity),
    )


def _rate_text(rate: Rate) -> str:
    if rate.value is None:
        return wording.GAP
    between = wording.interval("accuracy", rate.low, rate.high)
    value = wording.rate("accuracy", rate.value)
    return f"{value} ({between})" if between else f"{value}"
