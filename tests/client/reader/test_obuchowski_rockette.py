"""Readers and cases random: against published numbers, a second implementation, and its own error.

The second implementation is the textbook's: areas by counting pairs, cases left out one by one, the
two-way analysis of variance with its mean squares.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import f as f_distribution

from bs_client.evaluation.auc import delong
from bs_client.reader.obuchowski_rockette import (
    Figures,
    Values,
    against_one,
    auc_figures,
    auc_figures_jackknife,
    mean_over_readers,
    paired_difference,
    share_figures,
)
from bs_common.errors import DataError

LABELS = np.arange(134) < 67


def draw_scores(seed: int, *, raters: int = 6, shift: float = 1.8) -> Values:
    """Give (raters, 134) scores with case, reader and interaction effects (Roe and Metz 1997)."""
    rng = np.random.default_rng(seed)
    cases = np.sqrt(0.3) * rng.normal(size=134)
    skills = shift + np.sqrt(0.03) * rng.normal(size=(raters, 1))
    noise = np.sqrt(0.7) * rng.normal(size=(raters, 134))
    scores: Values = skills * LABELS + cases + noise
    return scores


# Van Dyke et al. (1993): five readers, two tests, 114 cases, as printed with MRMCaov.m's manual.
FIRST = np.array([0.91965, 0.85878, 0.90386, 0.97311, 0.82979])
SECOND = np.array([0.94783, 0.90531, 0.92174, 0.99936, 0.92995])
ERROR, COV1, COV2, COV3 = 0.00078839, 0.00034167, 0.00033906, 0.00023561


def exchangeable(variance: float, covariance: float, size: int) -> Values:
    return np.full((size, size), covariance) + (variance - covariance) * np.eye(size)


def test_the_published_comparison_of_two_tests_is_found_again() -> None:
    within, across = exchangeable(ERROR, COV2, 5), exchangeable(COV1, COV3, 5)
    figures = Figures(
        np.concatenate([SECOND, FIRST]), np.block([[within, across], [across.T, within]])
    )

    test = mean_over_readers(paired_difference(figures))

    assert test.estimate == pytest.approx(-0.0438, abs=5e-5)
    assert test.standard_error == pytest.approx(0.020672, abs=5e-6)
    assert test.df == pytest.approx(15.034, abs=5e-3)
    assert test.interval == pytest.approx((-0.087852, 0.0002513), abs=2e-5)
    assert test.t_value == pytest.approx(-2.1189, abs=5e-4)
    assert test.p_value == pytest.approx(0.051162, abs=5e-5)


@pytest.mark.parametrize(
    ("values", "cov2", "standard_error", "df", "interval"),
    [
        (FIRST, 0.00047718, 0.033071, 12.588, (0.82535, 0.96872)),
        (SECOND, 0.00020095, 0.021491, 12.534, (0.89423, 0.98744)),
    ],
)
def test_the_published_mean_of_one_test_is_found_again(
    values: Values,
    cov2: float,
    standard_error: float,
    df: float,
    interval: tuple[float, float],
) -> None:
    test = mean_over_readers(Figures(values, exchangeable(ERROR, cov2, 5)))

    assert test.standard_error == pytest.approx(standard_error, abs=5e-6)
    assert test.df == pytest.approx(df, abs=5e-3)
    assert test.interval == pytest.approx(interval, abs=2e-5)


def counted_auc(scores: Values, labels: np.ndarray) -> float:
    """Share of pairs in which the case with metastasis scores higher, ties half."""
    differences = scores[labels][:, np.newaxis] - scores[~labels]
    return float((differences > 0).mean() + 0.5 * (differences == 0).mean())


def textbook_jackknife(scores: Values) -> tuple[Values, Values]:
    """Areas and jackknife covariance, every case really left out."""
    keep = ~np.eye(134, dtype=bool)
    left_out = np.array([[counted_auc(row[k], LABELS[k]) for k in keep] for row in scores])
    covariance = np.cov(left_out, bias=True) * 133
    return np.array([counted_auc(row, LABELS) for row in scores]), covariance


def textbook_anova(values: Values, covariance: Values) -> tuple[float, float, float]:
    """F, denominator degrees of freedom and p of a tests x readers study, after Hillis (2005)."""
    table = values.reshape(2, -1)  # (tests, readers)
    readers = table.shape[1]
    ms_t = readers * table.mean(axis=1).var(ddof=1)
    rest = table - table.mean(axis=1, keepdims=True) - table.mean(axis=0) + table.mean()
    ms_tr = (rest**2).sum() / (readers - 1)
    blocks = covariance.reshape(2, readers, 2, readers)
    off = ~np.eye(readers, dtype=bool)
    cov2 = np.mean([blocks[0, :, 0, :][off].mean(), blocks[1, :, 1, :][off].mean()])
    cov3 = np.mean([blocks[0, :, 1, :][off].mean(), blocks[1, :, 0, :][off].mean()])
    denominator = ms_tr + max(readers * (cov2 - cov3), 0)
    df = denominator**2 / (ms_tr**2 / (readers - 1))
    return ms_t / denominator, df, float(f_distribution.sf(ms_t / denominator, 1, df))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_jackknife_in_closed_form_equals_leaving_cases_out(seed: int) -> None:
    scores = np.round(draw_scores(seed), 1)  # with ties

    figures = auc_figures_jackknife(scores, LABELS)

    values, covariance = textbook_jackknife(scores)
    assert figures.values == pytest.approx(values, abs=1e-13)
    assert figures.covariance == pytest.approx(covariance, abs=1e-13)


@pytest.mark.parametrize("seed", [4, 5, 6])
def test_two_arms_give_the_f_test_of_the_textbook(seed: int) -> None:
    scores = np.vstack([draw_scores(seed), draw_scores(seed) + 0.4 * LABELS])
    figures = auc_figures_jackknife(scores, LABELS)

    test = mean_over_readers(paired_difference(figures))

    f_value, df, p_value = textbook_anova(*textbook_jackknife(scores))
    assert test.t_value**2 == pytest.approx(f_value, rel=1e-9)
    assert test.df == pytest.approx(df, rel=1e-9)
    assert test.p_value == pytest.approx(p_value, rel=1e-9)


@pytest.mark.parametrize("seed", range(10))
def test_delong_and_jackknife_covariances_tell_the_same(seed: int) -> None:
    scores = draw_scores(seed, raters=7)

    fast = mean_over_readers(against_one(auc_figures(scores, LABELS)))
    slow = mean_over_readers(against_one(auc_figures_jackknife(scores, LABELS)))

    assert fast.estimate == pytest.approx(slow.estimate, abs=1e-14)
    assert fast.standard_error == pytest.approx(slow.standard_error, rel=0.01)
    assert fast.p_value == pytest.approx(slow.p_value, abs=0.01)


def test_the_variance_of_one_rater_is_delongs() -> None:
    scores = draw_scores(8)

    figures = auc_figures(scores, LABELS)

    for row, value, variance in zip(
        scores, figures.values, np.diag(figures.covariance), strict=True
    ):
        single = delong(row, LABELS)
        assert (value, np.sqrt(variance)) == pytest.approx((single.auc, single.standard_error))


def test_sensitivities_have_the_binomial_variance_and_the_covariance_of_the_calls() -> None:
    calls = draw_scores(9)[:, LABELS] > 0.9

    figures = share_figures(calls)

    shares = calls.mean(axis=1)
    assert figures.values == pytest.approx(shares)
    assert np.diag(figures.covariance) == pytest.approx(shares * (1 - shares) / 66)
    both = (calls[0] & calls[1]).mean() - shares[0] * shares[1]
    assert figures.covariance[0, 1] == pytest.approx(both / 66)


def test_the_test_of_readers_against_a_model_holds_its_five_percent() -> None:
    """Over 500 studies in which the model is as good as readers are in the mean."""
    rejected = 0
    for study in range(500):
        rng = np.random.default_rng([2026, study])
        cases = np.sqrt(0.3) * rng.normal(size=134)
        skills = 1.8 + np.sqrt(0.03) * rng.normal(size=(6, 1))
        readers = skills * LABELS + cases + np.sqrt(0.7) * rng.normal(size=(6, 134))
        # A reader's area in the mean over skills is that of the mean skill with its variance added.
        model = MEAN_SKILL * LABELS + cases + np.sqrt(0.7) * rng.normal(size=134)
        figures = auc_figures(np.vstack([model, readers]), LABELS)
        rejected += mean_over_readers(against_one(figures)).p_value < 0.05

    assert 0.03 <= rejected / 500 <= 0.07


# E[Phi(d / sqrt 2)] for d ~ N(1.8, 0.03) is Phi(1.8 / sqrt(2 + 0.03)): the model's equal skill.
MEAN_SKILL = 1.8 * np.sqrt(2 / 2.03)


def test_one_reader_cannot_be_generalised() -> None:
    with pytest.raises(DataError, match="1 reader, expected at least 2"):
        mean_over_readers(Figures(np.array([0.9]), np.array([[0.001]])))


def test_readers_who_agree_in_everything_leave_the_variance_of_the_cases() -> None:
    scores = np.repeat(draw_scores(3, raters=1), 4, axis=0)

    test = mean_over_readers(auc_figures(scores, LABELS))

    assert test.standard_error == pytest.approx(delong(scores[0], LABELS).standard_error)
    assert np.isinf(test.df)
