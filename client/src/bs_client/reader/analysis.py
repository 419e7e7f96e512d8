"""Readers compared with each other, with themselves aided, and with the model on the same cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bs_client.evaluation.auc import (
    AucEstimate,
    bootstrap_aucs,
    delong,
    percentile_interval,
)
from bs_client.reader.agreement import Agreement, agreement_of_calls, agreement_of_scores
from bs_client.reader.arms import Arm
from bs_client.reader.case_key import KeyRow
from bs_client.reader.obuchowski_rockette import (
    Figures,
    ReaderTest,
    against_one,
    auc_figures,
    mean_over_readers,
    paired_difference,
    share_figures,
)
from bs_common.metrics import Confusion, confusion, wilson
from bs_common.randomness import generator

Values = NDArray[np.float64]
Interval = tuple[float, float]

PAPER_RESAMPLES, RESAMPLES = 100, 2000  # what the paper drew, and what settles the third decimal


@dataclass(frozen=True, slots=True)
class Performance:
    """How one reader, or the model, did.

    sensitivity, specificity : with Wilson's 95 % interval.
    f1_interval : 95 % percentile interval over cases drawn within each class.
    """

    name: str
    auc: AucEstimate
    table: Confusion
    sensitivity: Interval
    specificity: Interval
    f1_interval: Interval


@dataclass(frozen=True, slots=True)
class Spread:
    """Median and quartiles over readers."""

    median: float
    lower_quartile: float
    upper_quartile: float

    @property
    def iqr(self) -> float:
        """Distance of the quartiles."""
        return self.upper_quartile - self.lower_quartile


@dataclass(frozen=True, slots=True)
class ArmResult:
    """One arm.

    mean_auc : over readers and cases, for other readers and other cases.
    minutes : active time of each reader over all cases.
    """

    arm: Arm
    readers: tuple[Performance, ...]
    auc_spread: Spread
    sensitivity_spread: Spread
    specificity_spread: Spread
    f1_spread: Spread
    mean_auc: ReaderTest | None
    calls_agreement: Agreement | None
    scores_agreement: Agreement | None
    minutes: tuple[float, ...]
    seconds_spread: Spread


@dataclass(frozen=True, slots=True, eq=False)
class ModelResult:
    """The model on the same cases.

    scores : (cases,) its probabilities, in the order of the arms' cases.
    aucs, f1s : bootstrap values by number of resamples: the spread of one test over cases.
    against_readers : readers minus model, by figure, readers and cases random.
    """

    performance: Performance
    threshold: float
    scores: Values
    aucs: Mapping[int, Values]
    f1s: Mapping[int, Values]
    against_readers: Mapping[str, ReaderTest]

    def bootstrap_rows(self) -> list[tuple[int, BootstrapRow]]:
        """Summarise the resamples by their number."""
        return [
            (n, BootstrapRow(spread(aucs), percentile_interval(aucs), spread(self.f1s[n]).iqr))
            for n, aucs in self.aucs.items()
        ]


@dataclass(frozen=True, slots=True)
class BootstrapRow:
    """The spread of one test over resampled cases; `interval` is the 95 % percentile one."""

    auc: Spread
    interval: Interval
    f1_iqr: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything that a study says.

    second_against_first : the second arm minus the first, by figure; None with one arm.
    """

    arms: tuple[ArmResult, ...]
    model: ModelResult | None
    second_against_first: Mapping[str, ReaderTest] | None


def compare(arms: Sequence[Arm], key: Mapping[str, KeyRow], *, seed: int) -> Comparison:
    """Analyse a study whose readers have read every case in every arm.

    key : by case code; without the model's probabilities the model is left out.

    Raises ClassTooSmall if a class has fewer than two cases.
    """
    first = arms[0]
    with_model = all(key[code].model_probability is not None for code in first.cases)
    return Comparison(
        arms=tuple(_judge_arm(arm, seed) for arm in arms),
        model=_judge_model(first, key, seed) if with_model else None,
        second_against_first=_second_against_first(arms),
    )


def _judge_arm(arm: Arm, seed: int) -> ArmResult:
    readers = tuple(
        judge(name, arm.scores[row], arm.calls[row], arm.labels, seed=seed)
        for row, name in enumerate(arm.readers)
    )
    several = len(readers) > 1
    return ArmResult(
        arm=arm,
        readers=readers,
        auc_spread=spread([one.auc.auc for one in readers]),
        sensitivity_spread=spread([one.table.tpr or 0.0 for one in readers]),
        specificity_spread=spread([one.table.tnr or 0.0 for one in readers]),
        f1_spread=spread([one.table.f1 or 0.0 for one in readers]),
        mean_auc=mean_over_readers(auc_figures(arm.scores, arm.labels)) if several else None,
        calls_agreement=agreement_of_calls(arm.calls, seed=seed) if several else None,
        scores_agreement=agreement_of_scores(arm.scores, seed=seed) if several else None,
        minutes=tuple((arm.seconds.sum(axis=1) / 60).tolist()),
        seconds_spread=spread(arm.seconds.ravel()),
    )


def judge(
    name: str,
    scores: Values,
    calls: NDArray[np.bool_],
    labels: NDArray[np.bool_],
    *,
    seed: int,
) -> Performance:
    """Give one rater's figures with their intervals; all arrays are (cases,)."""
    table = confusion(calls, labels)
    low, high = np.quantile(f1_resamples(table, seed=seed), (0.025, 0.975))
    return Performance(
        name=name,
        auc=delong(scores, labels),
        table=table,
        sensitivity=wilson(*table.fractions()["tpr"]),
        specificity=wilson(*table.fractions()["tnr"]),
        f1_interval=(float(low), float(high)),
    )


def f1_resamples(table: Confusion, *, seed: int, resamples: int = RESAMPLES) -> Values:
    """Give F1 of cases drawn with replacement within each class, (resamples,).

    The true positives among P drawn cases with metastasis are binomial with TP / P, and likewise
    the false ones; F1 = 2 TP / (P + TP + FP), and 0 where nothing is called.
    """
    draws = generator(seed, "reader-study", "f1")
    positives, negatives = table.tp + table.fn, table.tn + table.fp
    hits = draws.binomial(positives, table.tp / positives, resamples)
    false_alarms = draws.binomial(negatives, table.fp / negatives, resamples)
    f1: Values = 2 * hits / (positives + hits + false_alarms)
    return f1


def spread(values: Sequence[float] | Values) -> Spread:
    """Give median and quartiles (linear interpolation)."""
    lower, middle, upper = np.quantile(values, (0.25, 0.5, 0.75)).tolist()
    return Spread(middle, lower, upper)


def _judge_model(arm: Arm, key: Mapping[str, KeyRow], seed: int) -> ModelResult:
    rows = [key[code] for code in arm.cases]
    scores = np.array([row.model_probability for row in rows], np.float64)
    threshold = float(rows[0].model_threshold or 0.5)
    calls = scores >= threshold
    performance = judge("model", scores, calls, arm.labels, seed=seed)
    counts = (PAPER_RESAMPLES, RESAMPLES)
    return ModelResult(
        performance=performance,
        threshold=threshold,
        scores=scores,
        aucs={n: bootstrap_aucs(scores, arm.labels, seed=seed, resamples=n) for n in counts},
        f1s={n: f1_resamples(performance.table, seed=seed, resamples=n) for n in counts},
        against_readers=_against_model(arm, scores, calls) if len(arm.readers) > 1 else {},
    )


def _against_model(arm: Arm, scores: Values, calls: NDArray[np.bool_]) -> dict[str, ReaderTest]:
    """Compare the readers with the model by AUC, sensitivity and specificity."""
    all_scores = np.vstack([scores, arm.scores])
    figures = _figures(all_scores, np.vstack([calls, arm.calls]), arm.labels)
    return {name: mean_over_readers(against_one(one)) for name, one in figures.items()}


def _second_against_first(arms: Sequence[Arm]) -> dict[str, ReaderTest] | None:
    if len(arms) != 2 or len(arms[0].readers) < 2:
        return None
    first, second = arms
    figures = _figures(
        np.vstack([first.scores, second.scores]),
        np.vstack([first.calls, second.calls]),
        first.labels,
    )
    return {name: mean_over_readers(paired_difference(one)) for name, one in figures.items()}


def _figures(
    scores: Values, calls: NDArray[np.bool_], labels: NDArray[np.bool_]
) -> dict[str, Figures]:
    return {
        "AUC": auc_figures(scores, labels),
        "sensitivity": share_figures(calls[:, labels]),
        "specificity": share_figures(~calls[:, ~labels]),
    }


def as_json(comparison: Comparison) -> dict[str, object]:
    """Give the aggregates of a study by name; no answer to a single case is among them."""
    model = comparison.model
    return {
        "arms": {one.arm.name: _arm_json(one) for one in comparison.arms},
        "model": None if model is None else _model_json(model),
        "second_against_first": _tests_json(comparison.second_against_first or {}),
    }


def _arm_json(result: ArmResult) -> dict[str, object]:
    return {
        "cases": len(result.arm.cases),
        "with_metastasis": int(result.arm.labels.sum()),
        "readers": {one.name: _performance_json(one) for one in result.readers},
        "auc_median": result.auc_spread.median,
        "auc_iqr": result.auc_spread.iqr,
        "f1_median": result.f1_spread.median,
        "f1_iqr": result.f1_spread.iqr,
        "mean_auc": None if result.mean_auc is None else _test_json(result.mean_auc),
        "fleiss_kappa_calls": _agreement_json(result.calls_agreement),
        "krippendorff_alpha_scores": _agreement_json(result.scores_agreement),
        "minutes": dict(zip(result.arm.readers, result.minutes, strict=True)),
        "seconds_a_case_median": result.seconds_spread.median,
        "seconds_a_case_iqr": result.seconds_spread.iqr,
    }


def _performance_json(one: Performance) -> dict[str, object]:
    table = one.table
    return {
        "auc": one.auc.auc,
        "auc_interval": one.auc.interval(),
        "tp": table.tp,
        "fn": table.fn,
        "tn": table.tn,
        "fp": table.fp,
        "sensitivity": table.tpr,
        "sensitivity_interval": one.sensitivity,
        "specificity": table.tnr,
        "specificity_interval": one.specificity,
        "f1": table.f1,
        "f1_interval": one.f1_interval,
    }


def _model_json(model: ModelResult) -> dict[str, object]:
    bootstrap = {
        str(n): {
            "auc_median": row.auc.median,
            "auc_iqr": row.auc.iqr,
            "auc_interval": row.interval,
            "f1_iqr": row.f1_iqr,
        }
        for n, row in model.bootstrap_rows()
    }
    return {
        **_performance_json(model.performance),
        "threshold": model.threshold,
        "bootstrap": bootstrap,
        "readers_minus_model": _tests_json(model.against_readers),
    }


def _tests_json(tests: Mapping[str, ReaderTest]) -> dict[str, object]:
    return {name: _test_json(test) for name, test in tests.items()}


def _test_json(test: ReaderTest) -> dict[str, object]:
    return {
        "estimate": test.estimate,
        "standard_error": test.standard_error,
        "df": test.df if np.isfinite(test.df) else None,
        "interval": test.interval,
        "p_value": test.p_value,
    }


def _agreement_json(agreement: Agreement | None) -> dict[str, object] | None:
    if agreement is None:
        return None
    values = (agreement.value, *agreement.interval)
    value, low, high = (number if np.isfinite(number) else None for number in values)
    return {"value": value, "interval": (low, high)}
