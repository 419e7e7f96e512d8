"""A judgement as the numbers that may be sent; the gate hides the small ones afterwards."""

from __future__ import annotations

from collections.abc import Sequence

from bs_client.evaluation.calibration import Coefficient
from bs_client.evaluation.comparators import Compared
from bs_client.evaluation.judgement import Judgement
from bs_client.explain.agreement import Mean
from bs_client.federation.small_cells import merge_small_bins
from bs_common.contract import AGREEMENT_MEASURES, AGREEMENT_SOURCES, CONFUSION_CELLS
from bs_common.messages import Metric


def external_metrics(judgement: Judgement, min_cell: int) -> dict[str, Metric]:
    """Name the numbers as the contract does.

    Rates and F1 are left out: they follow from the four counts, and would give away a count that
    the gate has hidden.

    Parameters
    ----------
    min_cell : the smallest count that may stand in a bin of scores.
    """
    result = judgement.result
    metrics: dict[str, Metric] = {
        **{cell: getattr(result.confusion, cell) for cell in CONFUSION_CELLS},
        "overlays": judgement.overlays,
        "auc": result.auc,
        "brier": result.calibration.brier,
    }
    for name, (low, high) in (
        ("auc", result.auc_interval),
        ("auc-bootstrap", result.auc_bootstrap_interval),
    ):
        metrics |= {f"{name}-low": low, f"{name}-high": high}
    for name in ("slope", "intercept"):
        found = getattr(result.calibration, name)
        if found is not None:
            metrics |= _with_interval(name, found)
    metrics |= merge_small_bins(result.roc_counts, min_cell, cut=result.cut).metrics()
    for (variable, level), table in judgement.subgroups.items():
        prefix = f"subgroup.{variable}.{level}"
        metrics |= {f"{prefix}.{cell}": getattr(table, cell) for cell in CONFUSION_CELLS}
    metrics |= _agreement(judgement)
    return metrics


def compared_metrics(compared: Sequence[Compared]) -> dict[str, Metric]:
    """Name the numbers of the models compared as the contract does, in the order of the request."""
    metrics: dict[str, Metric] = {}
    for place, one in enumerate(compared, start=1):
        paired = one.paired
        named: dict[str, Metric] = {"auc": paired.first.auc, "p": paired.p_value}
        named["auc-low"], named["auc-high"] = paired.first.interval()
        named["difference"] = paired.difference
        named["difference-low"], named["difference-high"] = paired.interval()
        named |= {cell: getattr(one.calls, cell) for cell in CONFUSION_CELLS}
        metrics |= {f"compared.{place}.{name}": value for name, value in named.items()}
    return metrics


def _agreement(judgement: Judgement) -> dict[str, Metric]:
    metrics: dict[str, Metric] = {
        f"artefact.{name.replace('_', '-')}": share for name, share in judgement.artefacts.items()
    }
    summary = judgement.agreement
    if summary is None:
        return metrics
    metrics["masks"] = summary.scans
    for source in AGREEMENT_SOURCES:
        for measure in AGREEMENT_MEASURES:
            mean = summary.by_source[source][measure.replace("-", "_")]
            metrics |= _with_interval(f"agreement.{source}.{measure}", mean)
    return metrics


def _with_interval(name: str, figure: Coefficient | Mean) -> dict[str, Metric]:
    return {name: figure.value, f"{name}-low": figure.low, f"{name}-high": figure.high}
