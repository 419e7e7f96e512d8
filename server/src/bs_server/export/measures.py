"""Every measure of a study by name, each with interval, method, scans, or why it is hidden."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

from pydantic import ConfigDict, JsonValue, model_validator

from bs_server.report.evaluated import evaluated
from bs_server.results.external_values import Count, Rate, SubgroupTable, Value
from bs_server.results.summary import (
    ExternalSummary,
    RoundSummary,
    SiteSummary,
    Summary,
)

UNDEFINED = "undefined"
COUNTED = "count"
WILSON = "Wilson score interval"
BOOTSTRAP = "stratified bootstrap"
AGREEMENT = "mean over scans with masks, bootstrap of scans"
ARTEFACT = "mean share of the maps' sum"
# Name in the summary -> what the field calls it, and the counts that its scans are the sum of.
RATES = {
    "tpr": ("sensitivity", ("tp", "fn")),
    "fnr": ("false_negative_rate", ("tp", "fn")),
    "tnr": ("specificity", ("tn", "fp")),
    "fpr": ("false_positive_rate", ("tn", "fp")),
    "ppv": ("ppv", ("tp", "fp")),
    "npv": ("npv", ("tn", "fn")),
    "accuracy": ("accuracy", ("tp", "fn", "tn", "fp")),
    "f1": ("f1", ("tp", "fn", "fp")),
    "balanced_accuracy": ("balanced_accuracy", ("tp", "fn", "tn", "fp")),
}
CELLS = ("tp", "fn", "tn", "fp")
_BOOTSTRAPPED = ("f1", "balanced_accuracy")


# Said in the schema too: no value without its reason, and no reason beside a value.
_KNOWN_OR_WHY: dict[str, JsonValue] = {
    "oneOf": [
        {"properties": {"value": {"type": "number"}, "reason": {"type": "null"}}},
        {"properties": {"value": {"type": "null"}, "reason": {"type": "string"}}},
    ]
}


class Measure(Value):
    """One figure. A hidden or undefined one is null, with the reason.

    value : a whole number where scans are counted.
    low, high : the interval that `method` names; both null where there is none.
    method : how the interval, or a figure without one, came about.
    n : scans that the figure rests on, such as those with metastasis for the sensitivity; null
        where their number is hidden or not known.
    reason : ``small_cell`` and ``complementary``: hidden by the site; ``undefined``: there is
        nothing to compute it from; null where there is a value.
    """

    model_config = ConfigDict(json_schema_extra=_KNOWN_OR_WHY)

    value: int | float | None
    low: float | None = None
    high: float | None = None
    method: str
    n: Count | None = None
    reason: str | None = None

    @model_validator(mode="after")
    def _is_known_or_says_why_not(self) -> Self:
        if (self.value is None) == (self.reason is None):
            raise ValueError("a value or a reason, and not both")
        if (self.low is None) != (self.high is None) or (self.low is not None and self.reason):
            raise ValueError("an interval has both ends or none, and belongs to a value")
        return self


Named = Iterator[tuple[str, Measure]]


def scans_of(counts: ExternalSummary | SubgroupTable, cells: tuple[str, ...]) -> int | None:
    """Add some of the four counts; None where one is hidden."""
    known = [getattr(counts, cell) for cell in cells]
    return None if None in known else sum(known)


def measures_of(summary: Summary) -> dict[str, Measure]:
    """Name every measure, in the order of the report."""
    named: dict[str, Measure] = {}
    for site in summary.sites:
        named |= _cohort(site)
    for entry in summary.rounds:
        named |= _validation(entry)
    for one in evaluated(summary):
        prefix = f"external.{one.result.site}."
        named |= {f"{prefix}{name}": it for name, it in external_measures(one.result).items()}
    return named


def external_measures(external: ExternalSummary) -> dict[str, Measure]:
    """Name every measure of one answer: ``auc``, ``subgroup.sex.female.sensitivity``, ..."""
    return dict(
        [*_performance(external), *_calibration(external), *_subgroups(external), *_maps(external)]
    )


def _measure(
    value: float | None,
    method: str,
    *,
    ends: tuple[float, float] | None = None,
    n: int | None = None,
    reason: str | None = None,
) -> Measure:
    if value is None:
        return Measure(value=None, method=method, n=n, reason=reason or UNDEFINED)
    low, high = ends or (None, None)
    return Measure(value=value, low=low, high=high, method=method, n=n)


def _of_rate(
    rate: Rate | None, method: str, *, n: int | None = None, reason: str | None = None
) -> Measure:
    if rate is None:
        return _measure(None, method, n=n, reason=reason)
    ends = None if rate.low is None or rate.high is None else (rate.low, rate.high)
    return _measure(rate.value, method, ends=ends, n=n, reason=reason)


def _cohort(site: SiteSummary) -> Named:
    for row in site.cohort:
        for label in ("metastasis", "no_metastasis"):
            count = getattr(row, label)
            reason = site.hidden.get(f"{row.split}.{label}")
            name = f"cohort.{site.name}.{row.split}.{label}"
            yield name, _measure(count, COUNTED, n=count, reason=reason)


def _validation(entry: RoundSummary) -> Named:
    prefix, scans = f"validation.round-{entry.round}", entry.validation_examples
    auc, bound = entry.pooled_auc, entry.pooled_auc_bound
    bracket = None if auc is None or bound is None else (max(0, auc - bound), min(1, auc + bound))
    reason = entry.hidden.get("pooled_auc")
    method = "bracket that pooled score bins leave, no confidence interval"
    yield f"{prefix}.auc", _measure(auc, method, ends=bracket, n=scans, reason=reason)
    reason = entry.hidden.get("validation_loss")
    method = "mean cross-entropy over scans"
    yield f"{prefix}.loss", _measure(entry.validation_loss, method, n=scans, reason=reason)


def _performance(external: ExternalSummary) -> Named:
    scans, hidden = scans_of(external, CELLS), external.hidden
    method, reason = external.auc_method, hidden.get("auc")
    yield "auc", _measure(external.auc, method, ends=external.auc_ci, n=scans, reason=reason)
    if external.auc_bootstrap_ci is not None or "auc_bootstrap_ci" in hidden:  # not pooled
        ends = external.auc_bootstrap_ci
        yield (
            "auc_bootstrap",
            _measure(external.auc, BOOTSTRAP, ends=ends, n=scans, reason=reason),
        )
    for cell in CELLS:
        yield cell, _measure(getattr(external, cell), COUNTED, n=scans, reason=hidden.get(cell))
    for key, (name, cells) in RATES.items():
        reason = hidden.get(f"rates.{key}")
        if key in external.rates or reason is not None:
            method = BOOTSTRAP if key in _BOOTSTRAPPED else WILSON
            n = scans_of(external, cells)
            yield name, _of_rate(external.rates.get(key), method, n=n, reason=reason)


def _calibration(external: ExternalSummary) -> Named:
    scans, hidden = scans_of(external, CELLS), external.hidden
    for name in ("slope", "intercept"):
        rate = getattr(external, name)
        # Not pooled: a pooled answer has neither a value nor a reason.
        if rate is not None or name in hidden:
            method = "logistic recalibration, Wald interval"
            yield name, _of_rate(rate, method, n=scans, reason=hidden.get(name))
    if external.brier is not None or "brier" in hidden:
        method = "mean squared distance of probability and label"
        reason = hidden.get("brier")
        yield "brier", _measure(external.brier, method, n=scans, reason=reason)


def _subgroups(external: ExternalSummary) -> Named:
    for group in external.subgroups:
        start = f"subgroup.{group.variable}.{group.level}"
        for name, cells in (("sensitivity", ("tp", "fn")), ("specificity", ("tn", "fp"))):
            n, rate = scans_of(group, cells), getattr(group, name)
            reasons = [external.hidden.get(f"{start}.{cell}") for cell in cells]
            reason = next((it for it in reasons if it), None)
            yield f"{start}.{name}", _of_rate(rate, WILSON, n=n, reason=reason)


def _maps(external: ExternalSummary) -> Named:
    hidden, agreement = external.hidden, external.agreement
    if agreement is not None:
        for source, by_measure in agreement.by_source.items():
            for name, rate in by_measure.items():
                yield f"map.{source}.{name}", _of_rate(rate, AGREEMENT, n=agreement.scans)
    elif "agreement" in hidden:
        yield "map", _measure(None, AGREEMENT, reason=hidden["agreement"])
    for name, share in external.artefacts.items():
        yield f"artefact.{name}", _measure(share, ARTEFACT)
    for name, reason in hidden.items():
        kind, _, place = name.partition(".")
        if kind == "artefacts":
            yield f"artefact.{place}", _measure(None, ARTEFACT, reason=reason)
