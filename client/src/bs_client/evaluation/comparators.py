"""The study's model beside others on the same scans: areas, paired differences, calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from numpy.typing import ArrayLike

from bs_client.evaluation.paired import PairedAucs, compare_aucs
from bs_common.bins import margin_of
from bs_common.metrics import Confusion, checked_scores, confusion


@dataclass(frozen=True, slots=True)
class Compared:
    """One model beside the study's.

    paired : this model's area first, the study's second: the difference is what the study's gains.
    calls : at this model's own threshold.
    """

    paired: PairedAucs
    calls: Confusion


def judge_beside(
    study: ArrayLike,
    others: Sequence[ArrayLike],
    labels: ArrayLike,
    *,
    thresholds: Sequence[float],
) -> list[Compared]:
    """Judge other models on the scans that the study's model was judged on.

    Parameters
    ----------
    study : (scans,) margins of the study's model, finite.
    others : of each other model, in the same order of scans.
    labels : (scans,) True or 1 for metastasis.
    thresholds : of each other model the probability from which it calls a scan, fixed before.

    Raises
    ------
    ClassTooSmall if a class has fewer than two scans, DataError for margins that are not finite.
    """
    found = []
    for margins, threshold in zip(others, thresholds, strict=True):
        scores, truth = checked_scores(margins, labels)
        calls = confusion(scores >= margin_of(threshold), truth)
        found.append(Compared(compare_aucs(scores, study, truth), calls))
    return found
