"""The page of a simulation: every model beside the federated one, by seed and over the seeds."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bs_common.profiles import differences_from_paper
from bs_server.report import tables, wording
from bs_server.report.comparison import comparison_line, lead_sentence, model_name, signed
from bs_server.report.drawing import INK, MAIN, MARK, QUIET, inline_svg, report_style
from bs_server.results.comparison import Comparison, ComparisonRow
from bs_server.results.over_seeds import OverSeeds, Spread, over_seeds
from bs_server.results.summary import Summary

_ROW_INCH, _FRAME_INCH, _WIDTH_INCH = 0.21, 0.85, 7.2


@dataclass(frozen=True, slots=True)
class Line:
    """One row of a table, ready to be shown: a seed, or the mean over the seeds."""

    seed: str
    auc: str
    difference: str
    p: str
    sensitivity: str
    specificity: str
    best_round: str
    mean: bool


def render_simulation(
    comparison: Comparison, studies: Sequence[Summary], *, remarks: Sequence[str]
) -> str:
    """Give the page of a simulation as one HTML file that needs nothing else.

    Parameters
    ----------
    studies : the federated study of each seed; at least one.
    remarks : what a reader must know of the scans.
    """
    first = studies[0]
    by_site: dict[str, list[OverSeeds]] = {}
    for group in over_seeds(comparison):
        by_site.setdefault(group.evaluate_site, []).append(group)
    return (
        _environment()
        .get_template("simulation.html")
        .render(
            comparison=comparison,
            summary=first,
            seeds=[study.settings.seed for study in studies],
            headlines=[_headline(site, groups) for site, groups in by_site.items()],
            lead=lead_sentence(comparison.rows),
            cohort=tables.cohort_rows(first),
            judges={site: _scans(groups[0].rows[0]) for site, groups in by_site.items()},
            figures={site: forest(site, groups) for site, groups in by_site.items()},
            tables={
                site: [(_name(group), list(_lines(group))) for group in groups]
                for site, groups in by_site.items()
            },
            differences=differences_from_paper(first.settings),
            settings=first.settings.model_dump(mode="json", exclude={"seed"}),
            remarks=remarks,
            digests=[(row.seed, model_name(row), row.weights_sha256) for row in comparison.rows],
            moment=wording.moment,
        )
    )


def forest(site: str, groups: Sequence[OverSeeds]) -> Markup:
    """Draw each model's AUC and how much higher the federated one's is: seeds, then their mean.

    Bars are 95 % intervals of one seed's model; the diamond is the mean over the seeds, with its
    line from the lowest to the highest seed.
    """
    rows = sum(len(group.rows) + 1 for group in groups) + len(groups) - 1
    with report_style():
        figure = Figure(figsize=(_WIDTH_INCH, _ROW_INCH * rows + _FRAME_INCH))
        left, right = figure.subplots(1, 2, sharey=True)
        ticks: list[tuple[float, str]] = []
        place = 0.0
        for group in groups:
            for row in group.rows:
                _draw(left, place, row.auc, row.auc_low, row.auc_high)
                if (gain := row.difference) is not None:
                    _draw(right, place, gain.value, gain.low, gain.high)
                ticks.append((place, f"{_name(group)}, seed {row.seed}"))
                place += 1
            _draw_mean(left, place, group.auc)
            _draw_mean(right, place, group.difference)
            ticks.append((place, f"{_name(group)}, mean"))
            place += 2
        _finish(left, right, ticks)
        spoken = f"{_headline(site, groups)} The table gives every seed's values."
        return inline_svg(figure, f"forest-{site}", spoken)


def _draw(
    axes: Axes, place: float, value: float | None, low: float | None, high: float | None
) -> None:
    if value is None or low is None or high is None:
        return
    axes.plot([low, high], [place, place], color=MAIN, linewidth=1.2)
    axes.plot([value], [place], "o", color=MAIN, markersize=4)


def _draw_mean(axes: Axes, place: float, spread: Spread | None) -> None:
    if spread is None:
        return
    axes.plot([spread.lowest, spread.highest], [place, place], color=MARK, linewidth=1.6)
    axes.plot([spread.mean], [place], "D", color=MARK, markersize=5)


def _finish(left: Axes, right: Axes, ticks: Sequence[tuple[float, str]]) -> None:
    places = [place for place, _ in ticks]
    left.set_yticks(places, [label for _, label in ticks])
    left.set_ylim(max(places) + 0.7, -0.7)
    left.set_xlabel("AUC")
    left.axvline(0.5, color=QUIET, linewidth=0.8, linestyle="--")
    right.set_xlabel("AUC, federated minus this model")
    right.xaxis.set_major_locator(MaxNLocator(nbins=6, prune="both"))
    right.axvline(0, color=INK, linewidth=0.8)
    right.tick_params(axis="y", length=0)
    for axes in (left, right):
        axes.grid(axis="x", color=QUIET, alpha=0.25, linewidth=0.6)


def _lines(group: OverSeeds) -> Iterator[Line]:
    for row in group.rows:
        said = comparison_line(row)
        yield Line(
            seed=said.seed,
            auc=_with_interval(said.auc, said.auc_interval),
            difference=_with_interval(said.difference, said.difference_interval),
            p=said.p,
            sensitivity=said.sensitivity,
            specificity=said.specificity,
            best_round=wording.count(row.best_round) or wording.GAP,
            mean=False,
        )
    yield Line(
        seed="mean\N{NO-BREAK SPACE}(SD)",
        auc=_mean(group.auc, "{:.3f}".format),
        difference=_mean(group.difference, signed),
        p="",
        sensitivity=_mean_percent([row.sensitivity for row in group.rows]),
        specificity=_mean_percent([row.specificity for row in group.rows]),
        best_round="",
        mean=True,
    )


def _headline(site: str, groups: Sequence[OverSeeds]) -> str:
    """Say the mean AUCs, and by how much the federated one differs from each other."""
    said = [
        f"{_name(group)} {group.auc.mean:.3f}"
        + ("" if group.difference is None else f" ({signed(group.difference.mean)})")
        for group in groups
        if group.auc is not None
    ]
    return (
        f"Mean AUC on the scans of {site}, never trained on, and in brackets how much higher the "
        f"federated model's is: {', '.join(said)}."
    )


def _name(group: OverSeeds) -> str:
    return model_name(group.rows[0])


def _scans(row: ComparisonRow) -> tuple[int, int] | None:
    """Give the evaluate site's scans with and without metastasis, where its table is shown."""
    if row.tp is None or row.fn is None or row.tn is None or row.fp is None:
        return None
    return row.tp + row.fn, row.tn + row.fp


def _with_interval(value: str, interval: str) -> str:
    return value if interval in ("", wording.GAP) else f"{value} ({interval})"


def _mean(spread: Spread | None, written: Callable[[float], str]) -> str:
    if spread is None:
        return wording.GAP
    deviation = "" if spread.deviation is None else f" ({spread.deviation:.3f})"
    return f"{written(spread.mean)}{deviation}"


def _mean_percent(shares: Sequence[float | None]) -> str:
    spread = Spread.of([share for share in shares if share is not None])
    return wording.GAP if spread is None else f"{100 * spread.mean:.1f}{wording.PER_CENT}"


@functools.cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("bs_server.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
