"""The external result, what may be sent of it, and the table that stays."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.metrics import brier_score_loss, confusion_matrix, f1_score, roc_auc_score

from bs_client.evaluation.external import evaluate_external, probabilities_of, write_scores
from bs_common.errors import DataError
from bs_common.metrics import ClassTooSmall, Confusion, pooled_auc, roc_points

RNG = np.random.default_rng(11)
LABELS = RNG.random(200) < 0.4
MARGINS = RNG.normal(np.where(LABELS, 1.0, -1.0), 1.5)


def test_every_figure_agrees_with_scikit_learn() -> None:
    probabilities = probabilities_of(MARGINS)
    (tn, fp), (fn, tp) = confusion_matrix(LABELS, probabilities >= 0.3)

    result = evaluate_external(MARGINS, LABELS, threshold=0.3, seed=1)

    assert result.confusion == Confusion(tp=tp, fn=fn, tn=tn, fp=fp)
    assert result.confusion.f1 == pytest.approx(f1_score(LABELS, probabilities >= 0.3))
    assert result.auc == pytest.approx(roc_auc_score(LABELS, MARGINS), abs=1e-12)


def test_both_intervals_contain_the_auc_and_are_about_as_wide() -> None:
    result = evaluate_external(MARGINS, LABELS, threshold=0.5, seed=1)

    widths = []
    for low, high in (result.auc_interval, result.auc_bootstrap_interval):
        assert 0 < low < result.auc < high < 1
        widths.append(high - low)
    assert widths[0] == pytest.approx(widths[1], rel=0.15)


def test_a_probability_equal_to_the_threshold_is_called_positive() -> None:
    result = evaluate_external([0.0, -1.0, 0.0, 1.0], [0, 0, 1, 1], threshold=0.5, seed=0)

    assert result.confusion == Confusion(tp=2, fn=0, tn=1, fp=1)


def test_the_binned_curve_passes_through_the_operating_point_of_one_half() -> None:
    result = evaluate_external(MARGINS, LABELS, threshold=0.5, seed=1)

    points = list(zip(*roc_points(result.roc_counts), strict=True))

    assert len(points) == 53
    assert (result.confusion.fpr, result.confusion.tpr) in points
    estimate, bound = pooled_auc(result.roc_counts)
    assert abs(estimate - result.auc) <= bound


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.97, 0.9999])
def test_the_threshold_is_an_edge_of_the_bins_whatever_it_is(threshold: float) -> None:
    result = evaluate_external(MARGINS, LABELS, threshold=threshold, seed=1)

    assert (np.diff(result.edges) > 0).all()
    assert result.roc_counts.shape == (2, result.edges.size + 1)
    called = result.roc_counts[:, result.cut + 1 :].sum(axis=1)
    assert called.tolist() == [result.confusion.fp, result.confusion.tp]


def test_calibration_is_that_of_the_same_scans() -> None:
    result = evaluate_external(MARGINS, LABELS, threshold=0.5, seed=1)

    expected = brier_score_loss(LABELS, probabilities_of(MARGINS))
    assert result.calibration.brier == pytest.approx(expected, abs=1e-12)


def test_the_papers_profile_draws_a_hundred_times() -> None:
    few, many = (
        evaluate_external(MARGINS, LABELS, threshold=0.5, seed=1, resamples=n) for n in (100, 2000)
    )

    assert few.auc_interval == many.auc_interval
    assert few.auc_bootstrap_interval != many.auc_bootstrap_interval


def test_one_class_alone_cannot_be_evaluated() -> None:
    with pytest.raises(ClassTooSmall):
        evaluate_external([0.0, 1.0], [1, 1], threshold=0.5, seed=0)


def test_probabilities_are_the_softmax_of_two_classes() -> None:
    logits = np.array([[0.3, 2.0], [5.0, -4.0]])
    softmax = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)

    assert probabilities_of(logits[:, 1] - logits[:, 0]) == pytest.approx(softmax[:, 1], rel=1e-12)


def test_extreme_margins_do_not_overflow() -> None:
    assert_array_equal(probabilities_of([-1000.0, 1000.0]), [0.0, 1.0])


def test_the_table_of_scores_stays_private_and_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"

    write_scores(path, cases=[1, 2], margins=[0.1, -2.0], labels=[1, 0], threshold=0.5)

    assert path.stat().st_mode & 0o777 == 0o600
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["margin"]) for row in rows] == [0.1, -2.0]
    assert [(row["case"], row["metastasis"], row["called_metastasis"]) for row in rows] == [
        ("1", "1", "1"),
        ("2", "0", "0"),
    ]


def test_scores_without_a_case_number_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="1 case numbers for 2 scans"):
        write_scores(
            tmp_path / "scores.csv", cases=[1], margins=[0.1, 0.2], labels=[0, 1], threshold=0.5
        )
    assert not (tmp_path / "scores.csv").exists()
