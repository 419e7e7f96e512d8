"""How figures, gaps and hidden cells read in the report."""

from __future__ import annotations

from bs_server.results.external_values import Hidden
from bs_server.results.summary import SMALL_CELL

GAP = "\N{EN DASH}"
SMALL_COUNT = "small count"
PER_CENT = "\N{NO-BREAK SPACE}%"
# Rates shown as percentages; every other figure is a plain number.
PERCENT = frozenset({"tpr", "fnr", "tnr", "fpr", "ppv", "npv", "accuracy"})
COUNT_LABELS = {
    "tp": "True positives (TP)",
    "fn": "False negatives (FN)",
    "tn": "True negatives (TN)",
    "fp": "False positives (FP)",
}
RATE_LABELS = {
    "tpr": "True positive rate (sensitivity)",
    "fnr": "False negative rate",
    "tnr": "True negative rate (specificity)",
    "fpr": "False positive rate",
    "ppv": "Positive predictive value",
    "npv": "Negative predictive value",
    "accuracy": "Accuracy",
    "f1": "F1 score",
    "balanced_accuracy": "Balanced accuracy",
}


def cell(value: str | None, name: str, hidden: Hidden, *, min_cell: int | None = None) -> str:
    """Give a cell's text: its value, why it is hidden, or a dash where there never was one.

    min_cell : for counts alone, the site's smallest count shown.
    """
    if value is not None:
        return value
    reason = hidden.get(name)
    return GAP if reason is None else hidden_text(reason, min_cell)


def hidden_text(reason: str, min_cell: int | None = None) -> str:
    """Say that a cell is hidden: ``hidden (fewer than 5)``.

    A count beside a small one, from which that would follow, is hidden for the same reason.
    """
    if reason != SMALL_CELL:
        return f"hidden ({reason})"
    return f"hidden ({SMALL_COUNT if min_cell is None else f'fewer than {min_cell}'})"


def count(value: int | None) -> str | None:
    """Write a number of scans."""
    return None if value is None else f"{value:d}"


def number(value: float | None, digits: int) -> str | None:
    """Write a figure with a fixed number of decimals."""
    return None if value is None else f"{value:.{digits}f}"


def rate(name: str, value: float | None) -> str | None:
    """Write a rate: percent with two decimals, as the paper does, or a number with three."""
    if value is None or name not in PERCENT:
        return number(value, 3)
    return f"{100 * value:.2f}{PER_CENT}"


def interval(name: str, low: float | None, high: float | None) -> str | None:
    """Write a 95 % interval in the unit of its rate."""
    if low is None or high is None:
        return None
    if name in PERCENT:
        return f"{100 * low:.2f}{GAP}{100 * high:.2f}{PER_CENT}"
    return f"{low:.3f}{GAP}{high:.3f}"


def pooled_auc(value: float | None, bound: float | None) -> str | None:
    """Write the pooled AUC with the bound that histograms leave for it."""
    if value is None or bound is None:
        return number(value, 4)
    return f"{value:.4f} \N{PLUS-MINUS SIGN} {bound:.4f}"


def threshold(probability: float) -> str:
    """Write the probability from which a scan is called positive."""
    return f"{probability:.3g}"


def moment(utc: str) -> str:
    """Write an ISO 8601 UTC time to the minute: ``2026-03-01 08:00 UTC``."""
    return f"{utc[:10]} {utc[11:16]} UTC"


def size(count: int) -> str:
    """Write a number of bytes in decimal units: ``10.5 MB``."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= factor:
            return f"{count / factor:.1f}\N{NO-BREAK SPACE}{unit}"
    return f"{count:d}\N{NO-BREAK SPACE}B"
