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
from bs_client.evaluation.calibration import Calibration, calibrate
from bs_common.bins import edges_with, margin_of
from bs_common.errors import DataError
from bs_common.files import write_atomic
from bs_common.metrics import Confusion, Histogram, checked_scores, confusion, histogram


@dataclass(frozen=True, slots=True)
class ExternalResult:
    """How a frozen model did on scans it never saw.

    threshold : probability from which a scan is called positive, fixed before the scans were seen.
    auc : exact area under the ROC curve.
    auc_interval : 95 % after DeLong.
    auc_bootstrap_interval : 95 % percentile interval, scans drawn within each class.
    edges : (51,) of the logit margin, the threshold's among them.
    roc_counts : (2, 52) int64, scans of each class between the edges; row 0 is no metastasis.
        `bs_common.metrics.roc_points` makes the curve.
    calibration : slope, intercept and Brier score of the probabilities.
    """

    threshold: float
    confusion: Confusion
    auc: float
    auc_interval: tuple[float, float]
    auc_bootstrap_interval: tuple[float, float]
    edges: NDArray[np.float64]
    roc_counts: Histogram
    calibration: Calibration

    @property
    def cut(self) -> int:
        """Number of the edge that is the threshold."""
        return int(np.flatnonzero(self.edges == margin_of(self.threshold))[0])


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
    edges = edges_with(threshold)
    estimate = delong(scores, truth)
    aucs = bootstrap_aucs(scores, truth, seed=seed, resamples=resamples)
    return ExternalResult(
        threshold=threshold,
        # By margin, as in the histogram: the table and its cut cannot differ by a rounding.
        confusion=confusion(scores >= margin_of(threshold), truth),
        auc=estimate.auc,
        auc_interval=estimate.interval(),
        auc_bootstrap_interval=percentile_interval(aucs),
        edges=edges,
        roc_counts=histogram(scores, truth, edges),
        calibration=calibrate(scores, truth),
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
