"""The external result in figures: ROC curve, confusion matrix, calibration."""

from __future__ import annotations

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from bs_server.report import wording
from bs_server.report.drawing import INK, MAIN, MARK, inline_svg, report_style, unit_square
from bs_server.results.summary import CalibrationBin, ExternalSummary

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


def roc_figure(external: ExternalSummary) -> Markup | None:
    """Draw the ROC curve with the operating point; None where the curve is hidden."""
    if external.roc is None:
        return None
    with report_style():
        figure = Figure(figsize=SIZE_INCH)
        axes = figure.subplots()
        unit_square(axes, diagonal="chance")
        axes.plot(external.roc.fpr, external.roc.tpr, color=MAIN, linewidth=1.6, label="model")
        fpr, tpr = _rate(external, "fpr"), _rate(external, "tpr")
        if fpr is not None and tpr is not None:
            label = f"threshold {wording.threshold(external.threshold)}"
            axes.plot([fpr], [tpr], "o", color=MARK, markersize=5.5, label=label)
        axes.set_xlabel("False positive rate")
        axes.set_ylabel("True positive rate")
        text = auc_text(external)
        axes.set_title(text, fontsize=9)
        axes.legend(loc="lower right")
        return inline_svg(figure, "roc", f"ROC curve at {external.site}: {text}.")


def confusion_figure(external: ExternalSummary, *, min_cell: int | None) -> Markup:
    """Draw the confusion matrix; each cell is shaded by its share of the row."""
    with report_style():
        figure = Figure(figsize=SIZE_INCH)
        axes = figure.subplots()
        spoken = []
        for place, (name, share) in MATRIX.items():
            known = wording.count(getattr(external, name))
            count = wording.cell(known, name, external.hidden, min_cell=min_cell)
            percent = _percent(external, share)
            _draw_cell(axes, place, _rate(external, share), (share.upper(), percent, f"n: {count}"))
            spoken.append(f"{name.upper()} {count}, {share.upper()} {percent}")
        _frame_matrix(axes)
        return inline_svg(
            figure, "confusion", f"Confusion matrix at {external.site}: {'; '.join(spoken)}."
        )


def calibration_figure(external: ExternalSummary) -> Markup | None:
    """Draw observed against predicted share of metastasis; None without a usable bin."""
    points = [
        (entry.low, entry.high, observed)
        for entry in external.calibration or ()
        if (observed := observed_share(entry)) is not None
    ]
    if not points:
        return None
    with report_style():
        figure = Figure(figsize=SIZE_INCH)
        axes = figure.subplots()
        unit_square(axes, diagonal="perfect")
        for low, high, observed in points:
            axes.plot([low, high], [observed, observed], color=MAIN, linewidth=1.2)
        middles = [(low + high) / 2 for low, high, _ in points]
        shares = [share for _, _, share in points]
        axes.plot(middles, shares, "o", color=MAIN, markersize=4, label="observed (bin width)")
        axes.set_xlabel("Predicted probability of metastasis")
        axes.set_ylabel("Observed share with metastasis")
        axes.legend(loc="upper left")
        return inline_svg(
            figure, "calibration", f"Calibration at {external.site}; the table gives the values."
        )


def observed_share(entry: CalibrationBin) -> float | None:
    """Give the share of a bin's scans with metastasis; None where hidden or empty."""
    if not entry.count or entry.positives is None:
        return None
    return entry.positives / entry.count


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
