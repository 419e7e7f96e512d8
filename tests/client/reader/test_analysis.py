"""The comparison of readers and model, on answers whose figures are known otherwise."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.metrics import f1_score, roc_auc_score

from bs_client.reader.analysis import Comparison, as_json, compare, f1_resamples
from bs_client.reader.arms import Arm
from bs_client.reader.case_key import KeyRow
from bs_client.reader.protocol import Protocol
from bs_client.reader.report import analyse_study, render
from bs_common.metrics import Confusion
from support.reading_visitors import MakeStudy, Study
from support.simulated_readers import say

CASES = tuple(f"C{number:03d}" for number in range(1, 135))
LABELS = np.random.default_rng(5).permutation(np.arange(134) < 67)


def arm(name: str = "unaided", *, readers: int = 6) -> Arm:
    names = tuple(f"R{number}" for number in range(1, readers + 1))
    said = [[say(r, c, bool(label)) for c, label in zip(CASES, LABELS, strict=True)] for r in names]
    gain = 8 * (2 * LABELS - 1) if name == "aided" else 0
    scores = np.clip(np.array([[one.score for one in row] for row in said]) + gain, 0, 100)
    seconds = np.random.default_rng(6).lognormal(2.5, 0.5, (readers, 134))
    return Arm(name, names, CASES, LABELS, scores.astype(float), scores >= 50, seconds)


def key(*, with_model: bool = True) -> dict[str, KeyRow]:
    draws = np.random.default_rng(9)
    rows = {}
    for code, label in zip(CASES, LABELS, strict=True):
        probability = float(1 / (1 + np.exp(-(2.2 * (label - 0.5) + draws.normal()))))
        model = (probability, 0.4) if with_model else (None, None)
        rows[code] = KeyRow(code, f"1.2.{code}", bool(label), False, *model)
    return rows


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return compare([arm(), arm("aided")], key(), seed=1)


def test_each_readers_figures_are_those_of_scikit_learn(comparison: Comparison) -> None:
    given = arm()

    for row, reader in enumerate(comparison.arms[0].readers):
        assert reader.auc.auc == pytest.approx(roc_auc_score(LABELS, given.scores[row]))
        assert reader.table.f1 == pytest.approx(f1_score(LABELS, given.calls[row]))
        assert reader.f1_interval[0] < f1_score(LABELS, given.calls[row]) < reader.f1_interval[1]


def test_the_spread_over_readers_is_median_and_quartiles(comparison: Comparison) -> None:
    aucs = [reader.auc.auc for reader in comparison.arms[0].readers]
    spread = comparison.arms[0].auc_spread

    assert spread.median == pytest.approx(np.median(aucs))
    assert spread.iqr == pytest.approx(np.subtract(*np.percentile(aucs, [75, 25])))


def test_the_model_is_called_at_its_own_threshold_and_resampled_twice(
    comparison: Comparison,
) -> None:
    model = comparison.model
    assert model is not None
    scores = np.array([row.model_probability for row in key().values()], float)

    assert model.performance.table.tp == int(((scores >= 0.4) & LABELS).sum())
    assert {n: aucs.size for n, aucs in model.aucs.items()} == {100: 100, 2000: 2000}
    assert model.aucs[2000].mean() == pytest.approx(roc_auc_score(LABELS, scores), abs=0.003)


def test_readers_minus_model_is_the_difference_of_means(comparison: Comparison) -> None:
    model = comparison.model
    assert model is not None
    readers = comparison.arms[0].readers

    difference = np.mean([one.auc.auc for one in readers]) - model.performance.auc.auc
    readers_tpr = float(np.mean([one.table.tpr or 0.0 for one in readers]))
    rates = readers_tpr - (model.performance.table.tpr or 0)
    assert model.against_readers["AUC"].estimate == pytest.approx(difference)
    assert model.against_readers["sensitivity"].estimate == pytest.approx(rates)


def test_help_is_found_and_its_interval_lies_above_zero(comparison: Comparison) -> None:
    tests = comparison.second_against_first
    assert tests is not None

    assert 0 < tests["AUC"].interval[0] < tests["AUC"].estimate


def test_f1_resamples_agree_with_drawing_the_cases_themselves() -> None:
    table = Confusion(tp=55, fn=12, tn=60, fp=7)
    rng = np.random.default_rng(1)
    calls = [np.arange(67) < 55, np.arange(67) < 7]
    drawn = [[c[rng.integers(0, 67, 67)].sum() for c in calls] for _ in range(4000)]
    by_cases = [2 * tp / (67 + tp + fp) for tp, fp in drawn]

    found = f1_resamples(table, seed=1, resamples=4000)

    assert found.mean() == pytest.approx(np.mean(by_cases), abs=0.003)
    assert found.std() == pytest.approx(np.std(by_cases), rel=0.06)


def test_without_a_model_readers_are_still_compared() -> None:
    alone = compare([arm()], key(with_model=False), seed=1)

    assert alone.model is None
    assert alone.arms[0].mean_auc is not None
    page = render(Protocol(name="trial", seed=1, readers=6, cases_with=67, cases_without=67), alone)
    assert "No result of a model" in page


def test_one_reader_gives_figures_and_no_generalisation() -> None:
    single = compare([arm(readers=1)], key(), seed=1)

    assert single.arms[0].mean_auc is None
    assert single.model is not None
    assert single.model.against_readers == {}


def test_the_page_says_which_spread_is_which_and_that_scans_are_synthetic(
    comparison: Comparison,
) -> None:
    protocol = Protocol(
        name="trial", seed=1, readers=6, cases_with=67, cases_without=67, synthetic=True
    )

    page = render(protocol, comparison)

    assert "between people" in page
    assert "one test over resampled cases" in page
    assert "Synthetic scans, no clinical claim." in page
    assert page.count("data:image/png;base64,") == 3
    assert 'src="http' not in page


def test_the_aggregates_name_no_case(comparison: Comparison) -> None:
    text = json.dumps(as_json(comparison))

    assert not any(code in text for code in CASES)
    assert "NaN" not in text


def test_a_study_is_analysed_from_its_own_answers(make_study: MakeStudy) -> None:
    study: Study = make_study(with_model=True)
    for name in ("R1", "R2"):
        study.reader(name).read_all(lambda code: (int(code[1:]), True, ""))

    analyse_study(study.opened, unfinished=False)

    page = study.opened.folder.analysis / "index.html"
    found = json.loads((page.parent / "analysis.json").read_text())
    assert page.read_text().startswith("<!doctype html>")
    assert found["protocol_sha256"] == study.opened.protocol.sha256()
    assert found["arms"]["unaided"]["readers"]["R1"]["tp"] == 2
    assert found["model"]["auc"] == 1
    assert (page.stat().st_mode | (page.parent / "analysis.json").stat().st_mode) & 0o077 == 0
