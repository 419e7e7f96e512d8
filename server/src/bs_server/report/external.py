"""The external result in figures: ROC curves and confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from bs_server.report import wording
from bs_server.report.drawing import (
    COLOURS,
    DASHES,
    INK,
    MAIN,
    MARK,
    inline_svg,
    report_style,
    unit_square,
)
from bs_server.report.evaluated import Evaluated
from bs_server.results.summary import ExternalSummary

SIZE_INCH = (3.5, 3.5)
# (column, row): the count and the rate it is of its row.
MATRIX = {
    (0, 0): ("tp", "tpr"),
    (1, 0): ("fn", "fnr"),
    (0, 1): ("fp", "fpr"),
    (1, 1): ("tn", "tnr"),
}


def auc_text(external: ExternalSummary) -> str:
    """Write the AUC with its interval: ``AUC 0.897 (95 % CI 0.878 to 0.916)``."""
    value = wording.number(external.auc, 3)
    text = f"AUC {wording.cell(value, 'auc', external.hidden)}"
    if external.auc_ci is None:
        return text
    return f"{text} (95{wording.PER_CENT} CI {wording.interval('auc', *external.auc_ci)})"


def roc_figure(results: Sequence[Evaluated]) -> Markup | None:
    """Draw the ROC curves with their operating points; None where every curve is hidden."""
    shown = [one for one in results if one.result.roc is not None]
    if not shown:
        return None
    with report_style():
        figure = Figure(figsize=SIZE_INCH)
        axes = figure.subplots()
        unit_square(axes, diagonal="chance")
        for index, one in enumerate(shown):
            _draw_curve(axes, one, index)
        axes.set_xlabel("False positive rate (1 \N{MINUS SIGN} specificity)")
        axes.set_ylabel("True positive rate (sensitivity)")
        axes.set_title(auc_text(shown[0].result), fontsize=9)
        axes.legend(loc="lower right")
        said = "; ".join(f"{one.name}: {auc_text(one.result)}" for one in shown)
        return inline_svg(figure, "roc", f"ROC curve. {said}.")


def _draw_curve(axes: Axes, one: Evaluated, index: int) -> None:
    result = one.result
    if result.roc is None:
        return
    first = index == 0
    axes.plot(
        result.roc.fpr,
        result.roc.tpr,
        color=MAIN if first else COLOURS[1 + index % (len(COLOURS) - 1)],
        linestyle="-" if first else DASHES[index % len(DASHES)],
        linewidth=1.6 if first else 1.2,
        label=one.name if first else f"{one.name}, {wording.number(result.auc, 3) or 'AUC hidden'}",
    )
    fpr, tpr = _rate(result, "fpr"), _rate(result, "tpr")
    if fpr is not None and tpr is not None:
        label = f"threshold {wording.threshold(result.threshold)}" if first else None
        size = 5.5 if first else 4
        axes.plot([fpr], [tpr], "o", color=MARK, markersize=size, label=label)


def confusion_figure(one: Evaluated) -> Markup:
    """Draw the confusion matrix; each cell is shaded by its share of the row."""
    external = one.result
    with report_style():
        figure = Figure(figsize=SIZE_INCH)
        axes = figure.subplots()
        spoken = []
        for place, (name, share) in MATRIX.items():
            known = wording.count(getattr(external, name))
            count = wording.cell(known, name, external.hidden, min_cell=one.min_cell)
            percent = _percent(external, share)
            _draw_cell(axes, place, _rate(external, share), (share.upper(), percent, f"n: {count}"))
            spoken.append(f"{name.upper()} {count}, {share.upper()} {percent}")
        _frame_matrix(axes)
        return inline_svg(
            figure, "confusion", f"Confusion matrix of {one.name}: {'; '.join(spoken)}."
        )


def _rate(external: ExternalSummary, name: str) -> float | None:
    rate = external.rates.get(name)
    return None if rate is None else rate.value


def _percent(external: ExternalSummary, name: str) -> str:
    text = wording.rate(name, _rate(external, name))
    return wording.cell(text, f"rates.{name}", external.hidden)


def _draw_cell(
    axes: Axes, place: tuple[int, int], share: float | None, lines: tuple[str, str, str]
) -> None:
    column, row = place
    shade = 0.0 if share is None else 0.45 * share  # never so dark that black text is lost
    corner = (column - 0.5, row - 0.5)
    axes.add_patch(Rectangle(corner, 1, 1, facecolor=MAIN, alpha=shade, linewidth=0))
    axes.add_patch(Rectangle(corner, 1, 1, fill=False, edgecolor=INK, linewidth=0.8))
    sizes = (9, 9 if share is None else 13, 9)
    for offset, text, size in zip((-0.25, 0.0, 0.25), lines, sizes, strict=True):
        folded = text.replace(" (", "\n(")  # a reason is wider than its cell
        axes.text(column, row + offset, folded, ha="center", va="center", fontsize=size)


def _frame_matrix(axes: Axes) -> None:
    axes.set(xlim=(-0.52, 1.52), ylim=(1.52, -0.52), aspect="equal")
    axes.set_xticks([0, 1], ["metastasis", "no metastasis"])
    axes.set_yticks([0, 1], ["metastasis", "no metastasis"], rotation=90, va="center")
    axes.set_xlabel("Model")
    axes.set_ylabel("Label")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
