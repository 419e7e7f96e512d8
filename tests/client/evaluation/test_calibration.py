"""Calibration of probabilities against statsmodels, scikit-learn and laws."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.calibration import calibration_curve

from bs_client.evaluation.calibration import calibrate, trace_reliability
from bs_common.metrics import ClassTooSmall

Scans = tuple[NDArray[np.float64], NDArray[np.bool_]]


def scans(seed: int = 2, count: int = 400, *, slope: float = 0.6, shift: float = -0.4) -> Scans:
    """Margins that are too extreme (slope below 1) and too high (shift below 0)."""
    rng = np.random.default_rng(seed)
    margins = rng.normal(0, 2, count)
    return margins, rng.random(count) < expit(slope * margins + shift)


@pytest.mark.parametrize("seed", range(4))
def test_slope_and_intercept_are_those_of_statsmodels(seed: int) -> None:
    margins, labels = scans(seed, 150)
    line = sm.GLM(labels.astype(int), sm.add_constant(margins), sm.families.Binomial()).fit()
    large = sm.GLM(
        labels.astype(int), np.ones(margins.size), sm.families.Binomial(), offset=margins
    ).fit()

    found = calibrate(margins, labels)

    assert found.slope is not None
    assert found.slope.value == pytest.approx(line.params[1], abs=1e-6)
    assert found.slope[1:] == pytest.approx(line.conf_int()[1], abs=1e-5)
    assert found.intercept.value == pytest.approx(large.params[0], abs=1e-6)
    assert found.intercept[1:] == pytest.approx(large.conf_int()[0], abs=1e-5)


def test_the_intervals_hold_the_truth_as_often_as_they_say() -> None:
    held = np.zeros(2)
    for seed in range(500):
        found = calibrate(*scans(seed, 250, slope=1.0, shift=0.0))
        assert found.slope is not None
        held += [c.low <= truth <= c.high for c, truth in ((found.slope, 1), (found.intercept, 0))]

    assert (held / 500 >= 0.90).all()
    assert (held / 500 <= 0.98).all()


def test_the_brier_score_is_worked_by_hand() -> None:
    found = calibrate([0.0, 0.0, np.log(3)], [1, 0, 1])

    assert found.brier == pytest.approx((0.25 + 0.25 + 0.0625) / 3, abs=1e-15)


def test_stretching_the_margins_shrinks_the_slope() -> None:
    margins, labels = scans()

    plain, stretched = calibrate(margins, labels), calibrate(2 * margins, labels)

    assert plain.slope is not None
    assert stretched.slope is not None
    assert stretched.slope.value == pytest.approx(plain.slope.value / 2, abs=1e-6)


def test_raising_the_margins_lowers_the_intercept() -> None:
    margins, labels = scans()

    plain, raised = calibrate(margins, labels), calibrate(margins + 1.5, labels)

    assert raised.intercept.value == pytest.approx(plain.intercept.value - 1.5, abs=1e-6)
    assert raised.slope == pytest.approx(plain.slope, abs=1e-6)


@pytest.mark.parametrize("margins", [[-2.0, -1.0, 1.0, 2.0], [3.0, 3.0, 3.0, 3.0], [2, 1, -1, -2]])
def test_no_slope_is_claimed_where_none_is_finite(margins: list[float]) -> None:
    assert calibrate(margins, [0, 0, 1, 1]).slope is None


@pytest.mark.parametrize("scale", [20.0, 200.0])
def test_a_wildly_sure_model_still_has_a_slope(scale: float) -> None:
    margins, labels = scans()

    plain, found = calibrate(margins, labels), calibrate(scale * margins, labels)

    assert plain.slope is not None
    assert found.slope is not None
    assert found.slope.value == pytest.approx(plain.slope.value / scale, rel=1e-4)
    assert np.isfinite(found.intercept.value)


def test_one_class_alone_cannot_be_calibrated() -> None:
    with pytest.raises(ClassTooSmall):
        calibrate([1.0, 2.0], [1, 1])


def test_the_reliability_curve_is_that_of_scikit_learn() -> None:
    margins, labels = scans(count=400)
    observed, predicted = calibration_curve(labels, expit(margins), n_bins=10, strategy="quantile")

    points = trace_reliability(margins, labels)

    assert [p.scans for p in points] == [40] * 10
    assert [p.observed for p in points] == pytest.approx(observed, abs=1e-12)
    assert [p.predicted for p in points] == pytest.approx(predicted, abs=1e-12)


def test_few_scans_make_few_groups() -> None:
    assert [p.scans for p in trace_reliability([1.0, 0.0, 2.0], [1, 0, 1])] == [1, 1, 1]
    assert trace_reliability([], []) == []
