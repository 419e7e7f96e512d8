"""What federation gained each site: the models side by side, as a forest plot and tables."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bs_server.report import wording
from bs_server.report.drawing import INK, MAIN, MARK, QUIET, inline_svg, report_style
from bs_server.results.comparison import TABLE, Comparison, ComparisonRow, ModelKind
from bs_server.results.external_values import Hidden

_REASONS = {
    "away": "it was not connected",
    "deadline": "it did not answer in time",
    "no_room": "no more models fit in the one request",
    "policy_local": "its policy does not let a model of its scans alone out (release_local)",
    "policy_message": "its policy does not answer this request (messages)",
    "policy_models": "its policy lets fewer models be judged (external_models)",
    "policy_scope": "its policy does not let so many layers be trained (scopes)",
    "small_cell": "it has fewer scans of a class than it may show (min_cell)",
}
COLUMNS = (
    *("evaluate_site", "seed", "model", "site", "best_round", "validation_auc"),
    *("auc", "auc_low", "auc_high"),
    *("difference", "difference_low", "difference_high", "p"),
    *("threshold", *TABLE, "rounded_to", "weights_sha256", "hidden"),
)
_ORDER = {"federated": 0, "centralised": 1, "local": 2}
_ROW_INCH, _MARGIN_INCH = 0.3, 1.1


@dataclass(frozen=True, slots=True)
class ComparisonLine:
    """One model's row in words; an interval is empty where there is none."""

    model: str
    evaluate_site: str
    seed: str
    auc: str
    auc_interval: str
    difference: str
    difference_interval: str
    p: str
    sensitivity: str
    specificity: str
    threshold: str
    is_federated: bool


@dataclass(frozen=True, slots=True)
class ComparisonView:
    """Everything that the section shows.

    absent : sentences on models and judges that are not in it.
    rounded_to : the coarsest table's step; 1 where all are exact.
    """

    lines: list[ComparisonLine]
    figure: Markup | None
    absent: list[str]
    rounded_to: int
    has_seeds: bool
    has_sites: bool
    lead: str


def comparison_view(comparison: Comparison | None) -> ComparisonView | None:
    """Give what the section shows; None where nothing was compared."""
    if comparison is None:
        return None
    rows = ordered(comparison)
    return ComparisonView(
        lines=[comparison_line(row) for row in rows],
        figure=comparison_figure(comparison),
        absent=absent_sentences(comparison),
        rounded_to=max((row.rounded_to for row in rows), default=1),
        has_seeds=len({row.seed for row in rows}) > 1,
        has_sites=len({row.evaluate_site for row in rows}) > 1,
        lead=lead_sentence(rows),
    )


def ordered(comparison: Comparison) -> list[ComparisonRow]:
    """Give the rows by evaluate site, then model, the federated first, then seed."""

    def place(row: ComparisonRow) -> tuple[str, int, str, int]:
        return row.evaluate_site, _ORDER[row.model], row.site or "", row.seed

    return sorted(comparison.rows, key=place)


def model_name(row: ComparisonRow) -> str:
    """Name a model as a reader would."""
    match row.model:
        case "federated":
            return "federated"
        case "centralised":
            return "all scans in one place"
        case "local":
            return f"{row.site} alone"


def lead_sentence(rows: Sequence[ComparisonRow]) -> str:
    """Say in one sentence how many of the differences are told from chance."""
    known = [row.difference for row in rows if row.model == "local" and row.difference]
    if not known:
        return "No model of a single site was judged beside the federated one."
    better, worse = sum(one.low > 0 for one in known), sum(one.high < 0 for one in known)
    undecided = len(known) - better - worse
    return (
        f"Of {len(known)} comparisons with a single site's model, the 95{wording.PER_CENT} "
        f"interval of the difference lies above zero (federation gained) in {better}, below zero "
        f"in {worse}, and holds zero in {undecided}."
    )


def comparison_line(row: ComparisonRow) -> ComparisonLine:
    """Put a row into words; what is hidden says why."""
    gain = row.difference
    missing = (
        wording.GAP if row.model == "federated" else wording.cell(None, "difference", row.hidden)
    )
    return ComparisonLine(
        model=model_name(row),
        evaluate_site=row.evaluate_site,
        seed=str(row.seed),
        auc=wording.cell(wording.number(row.auc, 3), "auc", row.hidden),
        auc_interval=wording.interval("auc", row.auc_low, row.auc_high) or "",
        difference=signed(gain.value) if gain else missing,
        difference_interval=f"{signed(gain.low)} to {signed(gain.high)}" if gain else "",
        p=_p_text(gain.p) if gain else wording.GAP,
        sensitivity=_share(row.sensitivity, "tp", row.hidden),
        specificity=_share(row.specificity, "tn", row.hidden),
        threshold=wording.threshold(row.threshold),
        is_federated=row.model == "federated",
    )


def signed(difference: float) -> str:
    """Write a difference with its sign, three decimals."""
    return f"{difference:+.3f}".replace("-", "\N{MINUS SIGN}")


def _share(value: float | None, counted: str, hidden: Hidden) -> str:
    # Of a few scans more decimals than these would pretend to be known.
    text = None if value is None else f"{100 * value:.1f}{wording.PER_CENT}"
    return wording.cell(text, counted, hidden)


def _p_text(p: float) -> str:
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def absent_sentences(comparison: Comparison) -> list[str]:
    """Say of every model that is missing, and of every judge that compared none, why."""
    left_out = [
        f"No model of {site} alone: {_REASONS.get(why, f'refused ({why})')}."
        for site, why in sorted(comparison.left_out.items())
    ]
    return left_out + [
        f"{site} judged the federated model alone: {_REASONS.get(why, why)}."
        for site, why in sorted(comparison.not_compared.items())
    ]


def comparison_figure(comparison: Comparison) -> Markup | None:
    """Draw the AUCs and the paired differences, one row a model; None without two models.

    Several seeds of one model share its row.
    """
    rows = ordered(comparison)
    shown = [row for row in rows if row.auc is not None]
    if not any(row.difference for row in shown):
        return None
    several = len({row.evaluate_site for row in rows}) > 1
    labels = list(dict.fromkeys(_label(row, several=several) for row in shown))
    with report_style():
        figure = Figure(figsize=(7.2, _MARGIN_INCH + _ROW_INCH * len(labels)))
        left, right = figure.subplots(1, 2, sharey=True)
        for label, group in ((label, _of(shown, label, several)) for label in labels):
            for row, height in zip(group, _heights(len(group)), strict=True):
                _draw_row(left, right, row, labels.index(label) + height)
        _finish(left, right, labels)
        return inline_svg(figure, "comparison", _spoken(shown))


def _label(row: ComparisonRow, *, several: bool) -> str:
    return f"{model_name(row)}, at {row.evaluate_site}" if several else model_name(row)


def _of(rows: Sequence[ComparisonRow], label: str, several: bool) -> list[ComparisonRow]:
    return [row for row in rows if _label(row, several=several) == label]


def _heights(count: int) -> list[float]:
    """Spread the seeds of a model over the middle half of its row."""
    return [0.0] if count == 1 else [0.5 * k / (count - 1) - 0.25 for k in range(count)]


def _draw_row(left: Axes, right: Axes, row: ComparisonRow, height: float) -> None:
    if row.auc is not None and row.auc_low is not None and row.auc_high is not None:
        _draw_interval(left, (row.auc_low, row.auc, row.auc_high), height, row.model)
    if (gain := row.difference) is not None:
        _draw_interval(right, (gain.low, gain.value, gain.high), height, row.model)


def _draw_interval(
    axes: Axes, points: tuple[float, float, float], height: float, model: ModelKind
) -> None:
    low, value, high = points
    axes.errorbar(
        [value],
        [height],
        xerr=[[value - low], [high - value]],
        fmt={"federated": "D", "centralised": "s", "local": "o"}[model],
        color=MAIN if model == "federated" else INK,
        markersize=4.5,
        elinewidth=1.1,
        capsize=2.5,
    )


def _finish(left: Axes, right: Axes, labels: Sequence[str]) -> None:
    left.set_yticks(range(len(labels)), labels)
    left.set_ylim(len(labels) - 0.5, -0.5)
    left.set_xlabel("AUC on held-out scans\n(95 % CI)")
    right.set_xlabel("AUC, federated minus this model\n(95 % CI, paired)")
    right.axvline(0, color=MARK, linewidth=1.0, linestyle=(0, (4, 2)), zorder=0)
    for text, place, side in (("this model better", -4, "right"), ("federation gains", 4, "left")):
        right.annotate(
            text,
            (0, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(place, 3),
            textcoords="offset points",
            ha=side,
            color=MARK,
            fontsize=8,
        )
    for axes in (left, right):
        axes.xaxis.set_major_locator(MaxNLocator(5))  # more run into one another
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x", color=QUIET, alpha=0.25, linewidth=0.6)
        axes.spines["left"].set_visible(False)
    low, high = right.get_xlim()
    reach = max(abs(low), abs(high))  # zero in the middle: gain and loss look alike
    right.set_xlim(-reach, reach)


def _spoken(rows: Sequence[ComparisonRow]) -> str:
    said = [f"{model_name(row)} {row.auc:.3f}" for row in rows if row.auc is not None]
    return f"AUC of each model: {'; '.join(said)}. The table gives intervals and differences."


def comparison_csv(comparison: Comparison) -> str:
    """Give the rows as CSV, numbers unrounded; a hidden cell is empty and named in `hidden`."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow((*COLUMNS, "synthetic"))
    synthetic = int(comparison.synthetic)
    table.writerows((*comparison_cells(row), synthetic) for row in ordered(comparison))
    return text.getvalue()


def comparison_cells(row: ComparisonRow) -> Iterator[str | float | int | None]:
    """Give a row's numbers, unrounded, in the order of `COLUMNS`."""
    gain = row.difference
    yield from (row.evaluate_site, row.seed, row.model, row.site, row.best_round)
    yield from (row.validation_auc, row.auc, row.auc_low, row.auc_high)
    yield from (gain.value, gain.low, gain.high, gain.p) if gain else (None,) * 4
    yield from (row.threshold, *(getattr(row, name) for name in TABLE))
    yield from (row.rounded_to, row.weights_sha256, " ".join(sorted(row.hidden)) or None)
