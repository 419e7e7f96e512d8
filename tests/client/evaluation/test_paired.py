"""DeLong's test of two models on the same scans."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from MLstatkit import Delong_test
from numpy.typing import NDArray

from bs_client.evaluation.auc import delong
from bs_client.evaluation.paired import compare_aucs
from bs_common.errors import DataError

# Whole numbers, so that ties within and between the classes are common.
two_models = st.lists(
    st.tuples(st.integers(-4, 4), st.integers(-4, 4), st.booleans()), min_size=4, max_size=40
).filter(lambda rows: 2 <= sum(label for *_, label in rows) <= len(rows) - 2)
Arrays = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]


def columns(rows: list[tuple[int, int, bool]]) -> Arrays:
    one, other, labels = zip(*rows, strict=True)
    return np.array(one, float), np.array(other, float), np.array(labels)


def tied(seed: int, scans: int = 300) -> Arrays:
    rng = np.random.default_rng(seed)
    labels = rng.random(scans) < 0.4
    common = rng.normal(labels * 1.2, 1)
    one, other = (np.round(common + rng.normal(0, 0.8, scans), 1) for _ in range(2))
    return one, other, labels


@pytest.mark.parametrize("seed", range(5))
def test_the_test_is_that_of_another_library_on_tied_scores(seed: int) -> None:
    one, other, labels = tied(seed)

    found = compare_aucs(one, other, labels)

    z, p, first, second, auc_one, auc_other, info = Delong_test(
        labels.astype(int), one, other, return_ci=True, return_auc=True
    )
    assert info["method"] == "delong"
    assert found.z == pytest.approx(z, abs=1e-12)
    assert found.p_value == pytest.approx(p, abs=1e-12)
    assert (found.first.auc, found.second.auc) == pytest.approx((auc_one, auc_other), abs=1e-12)
    assert found.first.interval() == pytest.approx(first, abs=1e-12)
    assert found.second.interval() == pytest.approx(second, abs=1e-12)


@settings(deadline=None, max_examples=60)
@given(two_models)
def test_it_equals_the_comparison_of_all_pairs(rows: list[tuple[int, int, bool]]) -> None:
    """DeLong 1988 as printed: S10 and S01 over both models, from every pair of scans."""
    one, other, labels = columns(rows)
    psi = [(np.sign(m[labels][:, None] - m[~labels]) + 1) / 2 for m in (one, other)]
    v10, v01 = (np.array([p.mean(axis=axis) for p in psi]) for axis in (1, 0))
    covariance = np.cov(v10) / v10.shape[1] + np.cov(v01) / v01.shape[1]
    contrast = np.array([-1, 1])

    found = compare_aucs(one, other, labels)

    assert found.difference == pytest.approx(contrast @ [p.mean() for p in psi], abs=1e-12)
    assert found.standard_error**2 == pytest.approx(contrast @ covariance @ contrast, abs=1e-12)


@settings(deadline=None, max_examples=40)
@given(two_models)
def test_swapping_the_models_turns_the_sign(rows: list[tuple[int, int, bool]]) -> None:
    one, other, labels = columns(rows)

    there, back = compare_aucs(one, other, labels), compare_aucs(other, one, labels)

    assert back.difference == -there.difference
    assert back.p_value == pytest.approx(there.p_value, abs=1e-12)
    low, high = there.interval()
    assert back.interval() == pytest.approx((-high, -low), abs=1e-12)


def test_a_model_does_not_differ_from_itself() -> None:
    one, _, labels = tied(0)

    found = compare_aucs(one, one, labels)

    assert (found.difference, found.z, found.p_value) == (0, None, 1)
    assert found.first == delong(one, labels)


def test_of_equal_models_one_in_twenty_differs_by_chance() -> None:
    rng = np.random.default_rng(8)
    labels = np.arange(120) < 50
    p_values = []
    for _ in range(500):
        common = rng.normal(labels * 1.0, 1)
        one, other = (common + rng.normal(0, 0.7, 120) for _ in range(2))
        p_values.append(compare_aucs(one, other, labels).p_value)

    assert 0.02 <= np.mean(np.array(p_values) < 0.05) <= 0.10


def test_different_scans_cannot_be_compared() -> None:
    with pytest.raises(DataError):
        compare_aucs([1.0, 2.0, 3.0], [1.0, 2.0], [0, 1, 1])
