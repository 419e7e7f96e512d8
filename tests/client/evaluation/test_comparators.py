"""Models beside the study's on the same scans, against another library and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from MLstatkit import Delong_test

from bs_client.evaluation.comparators import judge_beside
from bs_common.errors import DataError
from bs_common.metrics import Confusion

RNG = np.random.default_rng(4)
LABELS = RNG.random(200) < 0.4
STUDY, ONE, OTHER = (np.round(RNG.normal(LABELS * gain, 1), 1) for gain in (1.6, 1.0, 0.3))


def test_each_difference_is_the_study_s_area_minus_the_other_s_by_the_paired_test() -> None:
    found = judge_beside(STUDY, [ONE, OTHER], LABELS, thresholds=[0.5, 0.5])

    for one, margins in zip(found, (ONE, OTHER), strict=True):
        z, p, _, _, auc, auc_study, _ = Delong_test(
            LABELS.astype(int), margins, STUDY, return_ci=True, return_auc=True
        )
        assert one.paired.first.auc == pytest.approx(auc, abs=1e-12)
        assert one.paired.difference == pytest.approx(auc_study - auc, abs=1e-12)
        assert one.paired.p_value == pytest.approx(p, abs=1e-12)
        assert abs(one.paired.z or 0) == pytest.approx(abs(z), abs=1e-12)


def test_calls_are_made_at_each_model_s_own_threshold() -> None:
    labels = [True, True, False, False]
    margins = np.array([2.0, 0.0, 0.0, -2.0])  # probabilities 0.88, 0.5, 0.5, 0.12

    low, at_half, high = judge_beside(margins, [margins] * 3, labels, thresholds=[0.1, 0.5, 0.9])

    assert low.calls == Confusion(tp=2, fn=0, tn=0, fp=2)
    assert at_half.calls == Confusion(tp=2, fn=0, tn=1, fp=1)
    assert high.calls == Confusion(tp=0, fn=2, tn=2, fp=0)
    assert at_half.paired.difference == 0
    assert at_half.paired.p_value == 1


def test_a_model_that_diverged_is_said_to_have() -> None:
    with pytest.raises(DataError, match="not finite"):
        judge_beside(STUDY, [ONE * np.inf], LABELS, thresholds=[0.5])
