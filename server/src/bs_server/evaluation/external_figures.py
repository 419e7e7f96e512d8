"""What follows from an external result's counts and score bins: rates, curves, net benefit."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bs_common.bins import ScoreBins, probability_of, reliability_bins
from bs_common.decision_curve import net_benefit
from bs_common.errors import DataError
from bs_common.metrics import ClassTooSmall, Confusion, roc_points
from bs_common.rates import measures
from bs_server.results.external_values import BenefitPoint, Rate
from bs_server.results.summary import CalibrationBin, RocPoints

# Probabilities from which somebody may act on a scan; beyond them a decision curve says little.
_ACTED_FROM, _ACTED_TO = 0.02, 0.98


def rates_of(cells: Mapping[str, int | None], *, seed: int, resamples: int) -> dict[str, Rate]:
    """Give every rate with its interval; all are empty where a count is not known."""
    known = {name: count for name, count in cells.items() if count is not None}
    if len(known) < len(cells):
        names = measures(Confusion(0, 0, 0, 0), seed=0, resamples=1)
        return {name: Rate(value=None, low=None, high=None) for name in names}
    found = measures(Confusion(**known), seed=seed, resamples=resamples)
    return {
        name: Rate(value=measure.value, low=measure.low, high=measure.high)
        for name, measure in found.items()
    }


def curve_of(bins: ScoreBins) -> RocPoints | None:
    """Give the ROC curve at the bins' edges; None where a class has no scan."""
    try:
        fpr, tpr = roc_points(bins.counts)
    except ClassTooSmall:
        return None
    return RocPoints(fpr=fpr.tolist(), tpr=tpr.tolist())


def calibration_of(bins: ScoreBins) -> list[CalibrationBin]:
    """Give scans and positives by probability, in about ten of the bins joined."""
    joined = reliability_bins(bins)
    ends = [0.0, *(probability_of(float(edge)) for edge in joined.edges), 1.0]
    return [
        CalibrationBin(low=low, high=high, count=int(column.sum()), positives=int(column[1]))
        for low, high, column in zip(ends, ends[1:], joined.counts.T, strict=False)
    ]


def benefit_of(bins: ScoreBins) -> list[BenefitPoint]:
    """Give the decision curve at the bins' edges."""
    points = []
    for edge in np.asarray(bins.edges):
        probability = probability_of(float(edge))
        if not _ACTED_FROM <= probability <= _ACTED_TO:
            continue
        try:
            benefit = net_benefit(bins.confusion_at(float(edge)), probability)
        except DataError:  # no scan at all
            return []
        points.append(
            BenefitPoint(probability=probability, model=benefit.model, everybody=benefit.everybody)
        )
    return points
