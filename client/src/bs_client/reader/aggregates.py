"""What a finished reader study says as a group, under the names that the contract gives it.

No name, no answer and no case is here. What of it leaves, the site's policy and its gate decide.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from bs_client.evaluation.inference_time import InferenceTime
from bs_client.reader.agreement import Agreement
from bs_client.reader.analysis import ArmResult, Comparison, ModelResult, Spread
from bs_client.reader.obuchowski_rockette import ReaderTest
from bs_client.reader.protocol import Protocol
from bs_common.contract import ENDS, QUARTILES, READER_CASES
from bs_common.joining import Sha256
from bs_common.messages import Metric

_Named = tuple[str, float | None]


class Aggregates(BaseModel):
    """The file from which the coordinator's question is answered.

    study, protocol_sha256 : which reader study; they stay here.
    metrics : by the contract's names, the figures of each reader included.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)

    version: Literal[1] = 1
    study: Annotated[str, Field(max_length=64)]
    protocol_sha256: Sha256
    metrics: dict[str, Metric]
    model_device: str


def aggregate(
    protocol: Protocol, comparison: Comparison, *, model_time: InferenceTime | None
) -> Aggregates:
    """Name every group figure of a study that all its readers have finished."""
    first = comparison.arms[0].arm
    positives = int(first.labels.sum())
    metrics: dict[str, Metric] = {
        "readers": len(first.readers),
        "synthetic": int(protocol.synthetic),
        **dict(zip(READER_CASES, (positives, len(first.cases) - positives), strict=True)),
    }
    for result in comparison.arms:
        metrics |= _known(_arm(result))
        for figure, values in _each_reader(result).items():
            metrics[f"{result.arm.name}.each-reader.{figure}"] = values
    if comparison.model is not None:
        metrics |= _known(_model(comparison.model, model_time))
    second = comparison.second_against_first
    if second is not None:
        metrics |= _known(_test("second-minus-first", second["AUC"]))
    timed = comparison.model is not None and model_time is not None
    return Aggregates(
        study=protocol.name,
        protocol_sha256=protocol.sha256(),
        metrics=metrics,
        model_device=model_time.device if timed and model_time is not None else "",
    )


def _known(figures: Iterable[_Named]) -> dict[str, Metric]:
    """Leave out what is not defined, such as the agreement of readers who always say the same."""
    return {name: value for name, value in figures if value is not None and math.isfinite(value)}


def _arm(result: ArmResult) -> Iterator[_Named]:
    arm = result.arm.name
    yield from _spread(f"{arm}.auc", result.auc_spread)
    yield from _spread(f"{arm}.sensitivity", result.sensitivity_spread)
    yield from _spread(f"{arm}.specificity", result.specificity_spread)
    yield from _spread(f"{arm}.f1", result.f1_spread)
    yield from _spread(f"{arm}.seconds", result.seconds_spread)
    yield f"{arm}.minutes", sum(result.minutes)
    if result.mean_auc is not None:
        yield from _figure(f"{arm}.mean-auc", result.mean_auc.estimate, result.mean_auc.interval)
    yield from _agreement(f"{arm}.fleiss-kappa", result.calls_agreement)
    yield from _agreement(f"{arm}.krippendorff-alpha", result.scores_agreement)


def _each_reader(result: ArmResult) -> dict[str, list[float]]:
    """Give the readers' figures in the order of their numbers."""
    return {
        "auc": [one.auc.auc for one in result.readers],
        "sensitivity": [one.table.tpr or 0.0 for one in result.readers],
        "specificity": [one.table.tnr or 0.0 for one in result.readers],
    }


def _model(model: ModelResult, time: InferenceTime | None) -> Iterator[_Named]:
    own = model.performance
    yield from _figure("model.auc", own.auc.auc, own.auc.interval())
    yield from _figure("model.sensitivity", own.table.tpr, own.sensitivity)
    yield from _figure("model.specificity", own.table.tnr, own.specificity)
    yield from _figure("model.f1", own.table.f1, own.f1_interval)
    if time is not None:
        yield "model.seconds-alone", time.alone_s
        yield "model.seconds-in-batch", time.in_batch_s
    if model.against_readers:
        yield from _test("readers-minus-model", model.against_readers["AUC"])


def _spread(name: str, spread: Spread) -> Iterator[_Named]:
    values = (spread.lower_quartile, spread.median, spread.upper_quartile)
    yield from zip((f"{name}.{part}" for part in QUARTILES), values, strict=True)


def _agreement(name: str, found: Agreement | None) -> Iterator[_Named]:
    if found is not None and all(map(math.isfinite, (found.value, *found.interval))):
        yield from _figure(name, found.value, found.interval)


def _figure(name: str, value: float | None, interval: tuple[float, float]) -> Iterator[_Named]:
    yield from zip((f"{name}{end}" for end in ENDS), (value, *interval), strict=True)


def _test(name: str, test: ReaderTest) -> Iterator[_Named]:
    """Give difference, interval, F = t^2 with 1 and df degrees of freedom, and p."""
    yield from _figure(name, test.estimate, test.interval)
    yield f"{name}.f", test.t_value**2
    yield f"{name}.df", test.df
    yield f"{name}.p", test.p_value


def each_reader_left_out(metrics: Mapping[str, Metric]) -> dict[str, Metric]:
    """Give the numbers without those of single readers."""
    return {name: value for name, value in metrics.items() if ".each-reader." not in name}
