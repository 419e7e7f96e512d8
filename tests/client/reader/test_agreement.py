"""Coefficients of agreement against examples from the literature and the definition."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from bs_client.reader.agreement import (
    agreement_of_calls,
    agreement_of_scores,
    fleiss_kappa,
    krippendorff_alpha,
)

# Fourteen raters, ten subjects, five categories; the much-copied example has kappa 0.210.
FOURTEEN_RATERS = [
    [0, 0, 0, 0, 14],
    [0, 2, 6, 4, 2],
    [0, 0, 3, 5, 6],
    [0, 3, 9, 2, 0],
    [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0],
    [3, 2, 6, 3, 0],
    [2, 5, 3, 2, 2],
    [6, 5, 2, 1, 0],
    [0, 2, 2, 3, 7],
]
# Krippendorff (2011), example A: two observers, binary, no missing data; alpha 0.095.
MEG = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0]
OWEN = [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]


def test_fleiss_kappa_of_the_common_example() -> None:
    assert fleiss_kappa(FOURTEEN_RATERS) == pytest.approx(0.210, abs=5e-4)


def test_krippendorffs_own_binary_example() -> None:
    assert krippendorff_alpha([MEG, OWEN]) == pytest.approx(0.095, abs=5e-4)


def test_alpha_of_scores_is_its_definition_over_all_pairs() -> None:
    scores = np.random.default_rng(1).integers(0, 101, (4, 9)).astype(float)

    within = [(a - b) ** 2 for case in scores.T for a, b in permutations(case, 2)]
    anywhere = [(a - b) ** 2 for a, b in permutations(scores.ravel(), 2)]

    assert krippendorff_alpha(scores) == pytest.approx(1 - np.mean(within) / np.mean(anywhere))


def test_full_agreement_is_one_and_an_interval_holds_the_value() -> None:
    calls = np.random.default_rng(2).random((1, 40)) < 0.5
    same = np.repeat(calls, 5, axis=0)
    noisy = same ^ (np.random.default_rng(3).random((5, 40)) < 0.1)

    assert agreement_of_calls(same, seed=1).value == pytest.approx(1)
    found = agreement_of_calls(noisy, seed=1)
    assert found.interval[0] < found.value < found.interval[1] < 1
    assert agreement_of_scores(noisy, seed=1).value == pytest.approx(found.value, abs=0.01)


def test_agreement_on_one_category_is_no_number() -> None:
    assert np.isnan(fleiss_kappa([[3, 0], [3, 0]]))
    assert np.isnan(krippendorff_alpha(np.ones((3, 4))))
