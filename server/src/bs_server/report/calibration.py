"""Whether the probabilities fit, and whether acting on them would pay: figures and tables."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bs_common.metrics import wilson
from bs_server.report import wording
from bs_server.report.drawing import (
    INK,
    MAIN,
    QUIET,
    inline_svg,
    mark_place,
    report_style,
    unit_square,
)
from bs_server.report.evaluated import Evaluated
from bs_server.results.external_values import BenefitPoint, Rate
from bs_server.results.summary import CalibrationBin, ExternalSummary

RELIABILITY_INCH = (3.9, 4.9)
DECISION_INCH = (5.2, 3.3)
_TABLE_POINTS = [k / 10 for k in range(1, 10)]  # the decision table's rows lie nearest to these


@dataclass(frozen=True, slots=True)
class FitRow:
    """How well the probabilities of one result fit."""

    name: str
    slope: str
    intercept: str
    brier: str


@dataclass(frozen=True, slots=True)
class BinRow:
    """One bin of predicted probability."""

    probability: str
    count: str
    positives: str
    observed: str
    interval: str


@dataclass(frozen=True, slots=True)
class BenefitRow:
    """Net benefit at one threshold probability."""

    probability: str
    model: str
    everybody: str


def fit_row(one: Evaluated) -> FitRow:
    """Write slope, intercept and Brier score of a result."""
    hidden = one.result.hidden
    brier = wording.number(one.result.brier, 3)
    return FitRow(
        name=one.name,
        slope=wording.cell(_with_interval(one.result.slope), "slope", hidden),
        intercept=wording.cell(_with_interval(one.result.intercept), "intercept", hidden),
        brier=wording.cell(brier, "brier", hidden),
    )


def bin_rows(one: Evaluated) -> list[BinRow]:
    """Give a row for every bin of predicted probability."""
    rows = []
    for index, entry in enumerate(one.result.calibration or ()):
        count, positives = (
            wording.cell(
                wording.count(getattr(entry, name)),
                f"calibration.{index}.{name}",
                one.result.hidden,
                min_cell=one.min_cell,
            )
            for name in ("count", "positives")
        )
        ends = observed_interval(entry)
        rows.append(
            BinRow(
                probability=f"{entry.low:.3f}{wording.GAP}{entry.high:.3f}",
                count=count,
                positives=positives,
                observed=wording.rate("tpr", observed_share(entry)) or wording.GAP,
                interval=(wording.interval("tpr", *ends) if ends else None) or wording.GAP,
            )
        )
    return rows


def benefit_rows(result: ExternalSummary) -> list[BenefitRow]:
    """Give the net benefit at about ten threshold probabilities."""
    curve = result.decision_curve
    chosen = {
        min(range(len(curve)), key=lambda i: abs(curve[i].probability - wanted))
        for wanted in _TABLE_POINTS
        if curve
    }
    return [
        BenefitRow(f"{p.probability:.3f}", _signed(p.model), _signed(p.everybody))
        for p in (curve[index] for index in sorted(chosen))
    ]


def observed_share(entry: CalibrationBin) -> float | None:
    """Give the share of a bin's scans with metastasis; None where hidden or empty."""
    if not entry.count or entry.positives is None:
        return None
    return entry.positives / entry.count


def observed_interval(entry: CalibrationBin) -> tuple[float, float] | None:
    """Give Wilson's interval of that share; None where there is no share."""
    if not entry.count or entry.positives is None:
        return None
    return wilson(entry.positives, entry.count)


def calibration_figure(one: Evaluated) -> Markup | None:
    """Draw observed against predicted share, and the scans of each bin; None without a bin."""
    bins = [entry for entry in one.result.calibration or () if observed_share(entry) is not None]
    if not bins:
        return None
    with report_style():
        figure = Figure(figsize=RELIABILITY_INCH)
        above, below = figure.subplots(2, 1, height_ratios=(3, 1), sharex=True)
        unit_square(above, diagonal="as predicted")
        above.set_aspect("auto")  # so that both panels have one axis of probability
        _draw_shares(above, bins)
        above.set_ylabel("Observed share with metastasis")
        figure.legend(*above.get_legend_handles_labels(), loc="outside upper center")
        _draw_counts(below, bins)
        spoken = f"Reliability curve of {one.name} with the scans of each bin; the table below "
        return inline_svg(figure, "calibration", f"{spoken} gives the values.")


def _draw_shares(axes: Axes, bins: list[CalibrationBin]) -> None:
    middles = [(entry.low + entry.high) / 2 for entry in bins]
    shares = [observed_share(entry) or 0.0 for entry in bins]
    for entry, middle, share in zip(bins, middles, shares, strict=True):
        ends = observed_interval(entry) or (share, share)
        axes.plot([entry.low, entry.high], [share, share], color=MAIN, linewidth=1.2)
        axes.plot([middle, middle], ends, color=MAIN, linewidth=0.9)
    label = "observed: bin width, 95\N{NO-BREAK SPACE}% interval"
    axes.plot(middles, shares, "o", color=MAIN, markersize=4, label=label)


def _draw_counts(axes: Axes, bins: list[CalibrationBin]) -> None:
    widths = [entry.high - entry.low for entry in bins]
    lows = [entry.low for entry in bins]
    scans = [entry.count or 0 for entry in bins]
    axes.bar(lows, scans, widths, align="edge", color="#d7e3ee", edgecolor=INK, linewidth=0.5)
    axes.set(xlim=(-0.02, 1.02), xticks=[0, 0.2, 0.4, 0.6, 0.8, 1.0])
    axes.set_xlabel("Predicted probability of metastasis")
    axes.set_ylabel("Scans (n)")


def decision_figure(one: Evaluated) -> Markup | None:
    """Draw net benefit by threshold probability; None where there is no curve."""
    curve = one.result.decision_curve
    if not curve:
        return None
    with report_style():
        figure = Figure(figsize=DECISION_INCH)
        axes = figure.subplots()
        at = [point.probability for point in curve]
        axes.axhline(0, color=INK, linewidth=1, linestyle=":", label="act on nobody")
        everybody = [point.everybody for point in curve]
        axes.plot(at, everybody, color=QUIET, linestyle="--", label="act on everybody")
        model = [point.model for point in curve]
        axes.plot(at, model, color=MAIN, linewidth=1.6, marker=".", label="act on the model")
        threshold = one.result.threshold
        mark_place(axes, threshold, f"threshold {wording.threshold(threshold)}")
        axes.set(xlim=(0, 1), ylim=_benefit_range(curve))
        axes.set_xlabel("Threshold probability from which one would act")
        axes.set_ylabel("Net benefit (true positives a scan)")
        axes.legend(loc="lower left")
        return inline_svg(
            figure, "decision", f"Decision curve of {one.name}; the table below gives values."
        )


def _benefit_range(curve: list[BenefitPoint]) -> tuple[float, float]:
    """Frame what is above zero and a part of what is below, where acting on everybody dives."""
    top = max(max(point.model, point.everybody) for point in curve)
    lowest = min(point.model for point in curve)
    room = max(top, 0.05)
    return max(min(lowest, -0.4 * room), -2 * room), 1.1 * room


def _with_interval(rate: Rate | None) -> str | None:
    if rate is None or rate.value is None:
        return None
    if rate.low is None or rate.high is None:
        return f"{rate.value:.2f}"
    return f"{_signed(rate.value, 2)} ({_signed(rate.low, 2)} to {_signed(rate.high, 2)})"


def _signed(value: float, digits: int = 3) -> str:
    return f"{value:.{digits}f}".replace("-", "\N{MINUS SIGN}")
