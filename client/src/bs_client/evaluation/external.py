"""The held-out site's answer: what it computes once at the end, and which part of it may travel.

Figures that leave are counts and summaries without a single scan's score; small cells are hidden
later, at the gate. The table of every scan's score stays at the site.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from bs_client.evaluation.auc import bootstrap_aucs, delong, percentile_interval
from bs_common.architecture import CLASSES
from bs_common.errors import DataError
from bs_common.files import write_atomic
from bs_common.metrics import (
    ROC_EDGES,
    Confusion,
    Histogram,
    checked_scores,
    confusion,
    histogram,
)

Aggregates = dict[str, int | float | list[int]]

# Equal tenths of the probability. Quantile bins would have to send edges, which are scans' scores.
CALIBRATION_EDGES: NDArray[np.float64] = np.arange(1, 10) / 10


@dataclass(frozen=True, slots=True)
class ExternalResult:
    """How a frozen model did on scans it never saw.

    threshold : probability from which a scan is called positive, fixed before the scans were seen.
    auc : exact area under the ROC curve.
    auc_interval : 95 % after DeLong.
    auc_bootstrap_interval : 95 % percentile interval, scans drawn within each class.
    roc_counts : (2, 52) int64, scans of each class between `ROC_EDGES` of the margin; row 0 is no
        metastasis. `bs_common.metrics.roc_points` makes the curve.
    calibration_counts : (2, 10) int64, scans of each class by tenth of the probability.
    """

    threshold: float
    confusion: Confusion
    auc: float
    auc_interval: tuple[float, float]
    auc_bootstrap_interval: tuple[float, float]
    roc_counts: Histogram
    calibration_counts: Histogram

    def aggregates(self) -> Aggregates:
        """Give the numbers that may be sent, by name.

        Rates and F1 are left out: they follow from the four counts, and would give away a count
        that the gate has hidden.
        """
        table = self.confusion
        figures: Aggregates = {
            "threshold": self.threshold,
            "tp": table.tp,
            "fn": table.fn,
            "tn": table.tn,
            "fp": table.fp,
            "auc": self.auc,
            "auc_low": self.auc_interval[0],
            "auc_high": self.auc_interval[1],
            "auc_bootstrap_low": self.auc_bootstrap_interval[0],
            "auc_bootstrap_high": self.auc_bootstrap_interval[1],
        }
        for row, name in enumerate(CLASSES):
            figures[f"roc_{name}"] = self.roc_counts[row].tolist()
            figures[f"calibration_{name}"] = self.calibration_counts[row].tolist()
        return figures


def evaluate_external(
    margins: ArrayLike, labels: ArrayLike, *, threshold: float, seed: int, resamples: int = 2000
) -> ExternalResult:
    """Judge a frozen model's margins on the held-out scans.

    Parameters
    ----------
    margins : (scans,) z_metastasis - z_no_metastasis, finite, in the order of the manifest.
    labels : (scans,) True or 1 for metastasis.
    threshold : probability in (0, 1); a scan at or above it is called positive.
    seed : the study seed, for the bootstrap.
    resamples : bootstrap draws; the paper's profile takes 100.

    Raises
    ------
    ClassTooSmall if a class has fewer than two scans, DataError for margins that are not finite.
    """
    scores, truth = checked_scores(margins, labels)
    probabilities = probabilities_of(scores)
    estimate = delong(scores, truth)
    aucs = bootstrap_aucs(scores, truth, seed=seed, resamples=resamples)
    return ExternalResult(
        threshold=threshold,
        confusion=confusion(probabilities >= threshold, truth),
        auc=estimate.auc,
        auc_interval=estimate.interval(),
        auc_bootstrap_interval=percentile_interval(aucs),
        roc_counts=histogram(scores, truth, ROC_EDGES),
        calibration_counts=histogram(probabilities, truth, CALIBRATION_EDGES),
    )


def probabilities_of(margins: ArrayLike) -> NDArray[np.float64]:
    """Give the probability of metastasis, 1 / (1 + exp(-margin)): the softmax of two classes."""
    probabilities: NDArray[np.float64] = expit(np.asarray(margins, dtype=np.float64))
    return probabilities


def write_scores(
    path: Path,
    *,
    cases: Sequence[int],
    margins: ArrayLike,
    labels: ArrayLike,
    threshold: float,
) -> None:
    """Write one line per scan for the site's own use, readable by its owner alone (0600).

    Parameters
    ----------
    path : the CSV file; it is replaced whole.
    cases : case number of each scan; the table of cases tells the study behind it.
    margins, labels, threshold : as for `evaluate_external`.

    Raises
    ------
    DataError if there is not one case number for each margin and label.
    """
    scores, truth = checked_scores(margins, labels)
    if len(cases) != scores.size:
        raise DataError(
            f"{len(cases)} case numbers for {scores.size} scans, expected one for each",
            remedy="Pass the case numbers in the order of the margins.",
        )
    probabilities = probabilities_of(scores)
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["case", "metastasis", "margin", "probability", "called_metastasis"])
    for row in zip(cases, truth, scores, probabilities, probabilities >= threshold, strict=True):
        case, label, margin, probability, called = row
        table.writerow([case, int(label), float(margin), float(probability), int(called)])
    write_atomic(path, text.getvalue().encode(), mode=0o600)
