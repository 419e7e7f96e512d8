"""The study's pictures: the paper's figure 7, ROC curves with the readers as points, the times."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter, ScalarFormatter

from bs_client.evaluation.auc import trace_roc
from bs_client.evaluation.plots import BLUE, DOTS_PER_INCH, SYNTHETIC_MARK, png_bytes
from bs_client.reader.analysis import RESAMPLES, ArmResult, Comparison, ModelResult, Values

GREY, ORANGE, RED = "0.45", "#c35a00", "#b00020"
ARM_COLOURS = (GREY, ORANGE)


def draw_spreads(comparison: Comparison, *, synthetic: bool) -> bytes:
    """Draw AUC and F1 as the paper's figure 7 does, and say what each spread is the spread of."""
    figure = _figure(10.6, 4.9, synthetic=synthetic)
    left, right = figure.subplots(1, 2)
    aucs = [(one, [r.auc.auc for r in one.readers]) for one in comparison.arms]
    f1s = [(one, [r.table.f1 or 0.0 for r in one.readers]) for one in comparison.arms]
    model = comparison.model
    _draw_spread(left, "AUC", aucs, None if model is None else model.aucs[RESAMPLES])
    _draw_spread(right, "F1", f1s, None if model is None else model.f1s[RESAMPLES])
    return png_bytes(figure)


def _draw_spread(
    axes: Axes, name: str, arms: list[tuple[ArmResult, list[float]]], resamples: Values | None
) -> None:
    groups = [np.asarray(values) for _, values in arms]
    labels = [f"{len(values)} readers\n{one.arm.name}\n(between people)" for one, values in arms]
    colours = list(ARM_COLOURS[: len(arms)])
    if resamples is not None:
        groups.append(resamples)
        labels.append(f"the model\n{resamples.size} resamples\n(one test, over cases)")
        colours.append(BLUE)
    places = list(range(1, len(groups) + 1))
    for place, values, colour in zip(places, groups, colours, strict=True):
        if np.ptp(values) > 0:
            parts = axes.violinplot([values], [place], widths=0.6, showextrema=False)
            for body in parts["bodies"]:  # type: ignore[attr-defined]
                body.set_facecolor(colour)
                body.set_alpha(0.25)
        if values.size < RESAMPLES:
            axes.plot(np.full(values.size, place), values, "o", color=colour, markersize=5)
    axes.boxplot(groups, positions=places, widths=0.22, showfliers=False)
    axes.set_xticks(places, labels, fontsize=9)
    both = ": two kinds of spread, not to be compared by eye" if resamples is not None else ""
    axes.set(title=f"{name}{both}", ylabel=name, xlim=(0.4, len(groups) + 0.6))
    axes.grid(axis="y", color="0.9")


def draw_roc(comparison: Comparison, *, synthetic: bool) -> bytes:
    """Draw every reader's curve and call, and the model's curve, on the same cases."""
    arms = comparison.arms
    figure = _figure(5.6 * len(arms) + 0.4, 5.6, synthetic=synthetic)
    for axes, one in zip(np.atleast_1d(figure.subplots(1, len(arms))), arms, strict=True):
        _draw_arm_roc(axes, one, comparison.model)
    return png_bytes(figure)


def _draw_arm_roc(axes: Axes, result: ArmResult, model: ModelResult | None) -> None:
    arm = result.arm
    axes.plot([0, 1], [0, 1], color="0.75", linewidth=1, linestyle="--")
    for row, one in enumerate(result.readers):
        curve = trace_roc(arm.scores[row], arm.labels)
        axes.plot(curve.fpr, curve.tpr, color="0.7", linewidth=0.9)
        axes.plot(one.table.fpr or 0, one.table.tpr or 0, "o", color=ORANGE, markersize=7)
        place = (one.table.fpr or 0, one.table.tpr or 0)
        axes.annotate(one.name, place, xytext=(6, -9), textcoords="offset points", fontsize=8)
    if model is not None:
        curve = trace_roc(model.scores, arm.labels)
        table = model.performance.table
        axes.plot(curve.fpr, curve.tpr, color=BLUE, linewidth=2.2, label=f"model {curve.auc:.3f}")
        axes.plot(table.fpr or 0, table.tpr or 0, "s", color=BLUE, markersize=8)
    axes.plot([], [], "o", color=ORANGE, label="a reader's calls")
    axes.plot(
        [], [], color="0.7", label=f"a reader's scores, median {result.auc_spread.median:.3f}"
    )
    axes.set(
        title=f"ROC, {arm.name}, {len(arm.cases)} cases",
        xlabel="False positive rate (1 - specificity)",
        ylabel="True positive rate (sensitivity)",
        xlim=(-0.02, 1.02),
        ylim=(-0.02, 1.02),
        aspect="equal",
    )
    axes.grid(color="0.93")
    axes.legend(loc="lower right", fontsize=9)


def draw_times(comparison: Comparison, *, synthetic: bool) -> bytes:
    """Draw the active time of each case by reader, on a logarithmic axis."""
    rows = [
        (f"{name}\n{one.arm.name}", one.arm.seconds[row], colour)
        for one, colour in zip(comparison.arms, ARM_COLOURS, strict=False)
        for row, name in enumerate(one.arm.readers)
    ]
    figure = _figure(max(6.0, 1.0 * len(rows) + 1.5), 4.4, synthetic=synthetic)
    axes = figure.subplots()
    boxes = axes.boxplot(
        [np.maximum(seconds, 0.05) for _, seconds, _ in rows],
        tick_labels=[label for label, _, _ in rows],
        patch_artist=True,
        flierprops={"markersize": 3},
        medianprops={"color": "black"},
    )
    for box, (_, _, colour) in zip(boxes["boxes"], rows, strict=True):
        box.set_facecolor(colour)
        box.set_alpha(0.45)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(ScalarFormatter())
    axes.yaxis.set_minor_formatter(LogFormatter(minor_thresholds=(2, 0.5)))
    axes.set(ylabel="active seconds a case (log)", title="Reading times")
    axes.grid(axis="y", color="0.9", which="both")
    return png_bytes(figure)


def _figure(width: float, height: float, *, synthetic: bool) -> Figure:
    figure = Figure(figsize=(width, height), dpi=DOTS_PER_INCH, layout="constrained")
    if synthetic:
        figure.suptitle(SYNTHETIC_MARK, color=RED, fontsize=11)
    return figure
