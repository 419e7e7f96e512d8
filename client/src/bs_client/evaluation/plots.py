"""A site's own curves: ROC and confusion matrix (the paper's figure 4), calibration, benefit."""

from __future__ import annotations

import io

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bs_client.evaluation.auc import RocCurve
from bs_client.evaluation.calibration import trace_reliability
from bs_client.evaluation.external import ExternalResult
from bs_common.bins import margin_of
from bs_common.decision_curve import net_benefit
from bs_common.metrics import confusion, wilson

BLUE = "#1f5a94"
DOTS_PER_INCH = 120
DECISION_PROBABILITIES = [k / 100 for k in range(1, 100)]
SYNTHETIC_MARK = "synthetic scans, no clinical claim"


def draw_performance(curve: RocCurve, result: ExternalResult, *, synthetic: bool) -> bytes:
    """Draw the ROC curve (left) and the confusion matrix (right) as a PNG.

    Parameters
    ----------
    curve : the exact curve; the picture shows it and so stays at the site.
    result : table and intervals of the same scans.
    synthetic : whether any of the scans was made artificially; the picture then says so.
    """
    figure = Figure(figsize=(9.6, 4.6), dpi=DOTS_PER_INCH, layout="constrained")
    left, right = figure.subplots(1, 2)
    _draw_roc(left, curve, result)
    _draw_confusion(right, result)
    if synthetic:
        figure.suptitle(SYNTHETIC_MARK, color="#b00020", fontsize=11)
    return png_bytes(figure)


def draw_calibration(
    margins: NDArray[np.float64], labels: NDArray[np.bool_], *, synthetic: bool
) -> bytes:
    """Draw the reliability curve (left) and the decision curve (right) as a PNG.

    Parameters
    ----------
    margins, labels : (scans,) of the judged scans; the picture shows them and so stays at the site.
    """
    figure = Figure(figsize=(9.6, 4.6), dpi=DOTS_PER_INCH, layout="constrained")
    left, right = figure.subplots(1, 2)
    _draw_reliability(left, margins, labels)
    _draw_net_benefit(right, margins, labels)
    if synthetic:
        figure.suptitle(SYNTHETIC_MARK, color="#b00020", fontsize=11)
    return png_bytes(figure)


def _draw_reliability(axes: Axes, margins: NDArray[np.float64], labels: NDArray[np.bool_]) -> None:
    points = trace_reliability(margins, labels)
    axes.plot([0, 1], [0, 1], color="0.6", linewidth=1, linestyle="--", label="as it says")
    for point in points:
        ends = wilson(round(point.observed * point.scans), point.scans)
        axes.plot([point.predicted] * 2, ends, color=BLUE, linewidth=1.2, alpha=0.6)
    axes.plot(
        [point.predicted for point in points],
        [point.observed for point in points],
        "o-",
        color=BLUE,
        label=f"about {points[0].scans} scans each, 95 % interval",
    )
    axes.set(
        title="Reliability",
        xlabel="Mean predicted probability of metastasis",
        ylabel="Observed share with metastasis",
        xlim=(-0.02, 1.02),
        ylim=(-0.02, 1.02),
        aspect="equal",
    )
    axes.grid(color="0.9")
    # Below: a curve may go through any corner.
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2, frameon=False, fontsize=9)


def _draw_net_benefit(axes: Axes, margins: NDArray[np.float64], labels: NDArray[np.bool_]) -> None:
    curve = [
        net_benefit(confusion(margins >= margin_of(p), labels), p) for p in DECISION_PROBABILITIES
    ]
    at = [point.threshold for point in curve]
    axes.plot(at, [point.everybody for point in curve], "--", color="0.4", label="act on everybody")
    axes.axhline(0, color="black", linewidth=1, linestyle=":", label="act on nobody")
    axes.plot(
        at, [point.model for point in curve], color=BLUE, linewidth=2, label="act on the model"
    )
    best = float(np.mean(labels))
    axes.set(
        title="Decision curve",
        xlabel="Probability from which one would act",
        ylabel="Net benefit (true positives a scan)",
        xlim=(0, 1),
        ylim=(-0.25 * best - 0.02, 1.08 * best),
    )
    axes.grid(color="0.9")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=3, frameon=False, fontsize=9)


def png_bytes(figure: Figure) -> bytes:
    """Render a figure without pyplot's global state; the same figure gives the same bytes."""
    content = io.BytesIO()
    # Level 3 of 9 takes half the time of matplotlib's 6 for a tenth more bytes.
    figure.savefig(
        content, format="png", metadata={"Software": None}, pil_kwargs={"compress_level": 3}
    )
    return content.getvalue()


def _draw_roc(axes: Axes, curve: RocCurve, result: ExternalResult) -> None:
    low, high = result.auc_interval
    axes.plot([0, 1], [0, 1], color="0.6", linewidth=1, linestyle="--", label="chance")
    axes.plot(
        curve.fpr,
        curve.tpr,
        color=BLUE,
        linewidth=2,
        label=f"AUC {curve.auc:.3f} (95 % {low:.3f} to {high:.3f})",
    )
    fpr, tpr = result.confusion.fpr, result.confusion.tpr
    if fpr is not None and tpr is not None:
        axes.plot(fpr, tpr, "o", color="black", label=f"threshold {result.threshold:.3g}")
    axes.set(
        title="ROC curve",
        xlabel="False positive rate (1 - specificity)",
        ylabel="True positive rate (sensitivity)",
        xlim=(-0.02, 1.02),
        ylim=(-0.02, 1.02),
        aspect="equal",
    )
    axes.grid(color="0.9")
    axes.legend(loc="lower right", frameon=True, fontsize=9)


def _draw_confusion(axes: Axes, result: ExternalResult) -> None:
    table = result.confusion
    cells = (  # rows: reference; columns: call
        ((table.tp, table.tpr, "TP"), (table.fn, table.fnr, "FN")),
        ((table.fp, table.fpr, "FP"), (table.tn, table.tnr, "TN")),
    )
    shades = [[rate or 0.0 for _, rate, _ in row] for row in cells]
    axes.imshow(shades, cmap="Blues", vmin=0, vmax=1)
    for y, row in enumerate(cells):
        for x, (count, rate, name) in enumerate(row):
            share = "-" if rate is None else f"{100 * rate:.2f} %"
            colour = "white" if (rate or 0) > 0.55 else "black"
            text = f"{name}\n{count}\n{share}"
            axes.text(x, y, text, ha="center", va="center", color=colour, fontsize=13)
    names = ("metastasis", "no metastasis")
    axes.set_xticks([0, 1], names)
    axes.set_yticks([0, 1], names, rotation=90, va="center")
    axes.set(title="Confusion matrix", xlabel="Called by the model", ylabel="Reference")
    axes.tick_params(length=0)
