"""Several evaluate sites' answers as one: what adds is added, what does not is left out."""

from __future__ import annotations

from collections.abc import Sequence

from bs_common.bins import auc_interval, bracket_auc, pool_bins
from bs_common.contract import CONFUSION_CELLS
from bs_common.metrics import ClassTooSmall
from bs_server.evaluation.external import subgroup_table
from bs_server.evaluation.external_figures import benefit_of, calibration_of, curve_of, rates_of
from bs_server.results.external_values import ScoreTable, SubgroupTable
from bs_server.results.summary import POOLED, SMALL_CELL, ExternalSummary

_RESAMPLES = 2000


def pool_external(answers: Sequence[ExternalSummary]) -> ExternalSummary | None:
    """Give one answer as it is, several pooled, None without any.

    The pooled AUC is bracketed by the sites' score bins; it is that of all scans together, not a
    mean of the sites' own. What one site has hidden is hidden for all: the others' would give it
    away. Calibration slope, intercept and agreement with masks do not add and stand with each site.
    """
    if len(answers) < 2:
        return answers[0] if answers else None
    first = answers[0]
    cells = {name: _sum([getattr(one, name) for one in answers]) for name in CONFUSION_CELLS}
    rates = rates_of(cells, seed=first.round, resamples=_RESAMPLES)
    hidden = {name: SMALL_CELL for name, count in cells.items() if count is None}
    if hidden:
        hidden |= {f"rates.{name}": SMALL_CELL for name in rates}
    subgroups = _subgroups(answers)
    hidden |= {
        f"subgroup.{group.variable}.{group.level}.{cell}": SMALL_CELL
        for group in subgroups
        for cell in CONFUSION_CELLS
        if getattr(group, cell) is None
    }
    pooled = ExternalSummary(
        site=POOLED,
        round=first.round,
        auc=None,
        auc_ci=None,
        auc_method="pooled score bins",
        tp=cells["tp"],
        fn=cells["fn"],
        tn=cells["tn"],
        fp=cells["fp"],
        threshold=first.threshold,
        threshold_rule=first.threshold_rule,
        rates=rates,
        roc=None,
        calibration=None,
        brier=_mean_brier(answers),
        subgroups=subgroups,
        hidden=hidden,
    )
    return _with_curves(pooled, answers)


def _with_curves(pooled: ExternalSummary, answers: Sequence[ExternalSummary]) -> ExternalSummary:
    """Add what rests on the score bins, where every site shows them."""
    tables = [one.scores for one in answers if one.scores is not None]
    if len(tables) < len(answers):
        names = ("auc", "auc_ci", "roc", "scores", "calibration")
        hidden = pooled.hidden | dict.fromkeys(names, SMALL_CELL)
        return pooled.model_copy(update={"hidden": hidden})
    sites = [table.bins() for table in tables]
    common = pool_bins(sites)
    found: dict[str, object] = {
        "roc": curve_of(common),
        "scores": ScoreTable.of(common),
        "calibration": calibration_of(common),
        "decision_curve": benefit_of(common),
    }
    try:
        bracket = bracket_auc(sites)
        found |= {"auc": bracket.auc, "auc_bound": bracket.bound, "auc_ci": auc_interval(sites)}
        found["auc_method"] = "DeLong on pooled score bins, widened by their bound"
    except ClassTooSmall:
        pass  # one class alone has no area
    return pooled.model_copy(update=found)


def _subgroups(answers: Sequence[ExternalSummary]) -> list[SubgroupTable]:
    """Add the levels that every site tells of."""
    by_site = [{(g.variable, g.level): g for g in one.subgroups} for one in answers]
    shared = [key for key in by_site[0] if all(key in groups for groups in by_site)]
    return [
        subgroup_table(
            *key,
            [_sum([getattr(groups[key], cell) for groups in by_site]) for cell in CONFUSION_CELLS],
        )
        for key in shared
    ]


def _mean_brier(answers: Sequence[ExternalSummary]) -> float | None:
    """Average by scans, which is exact; None where a site's number of scans or score is hidden."""
    scans = [_sum([getattr(one, name) for name in CONFUSION_CELLS]) for one in answers]
    scores = [one.brier for one in answers]
    pairs = [(n, b) for n, b in zip(scans, scores, strict=True) if n is not None and b is not None]
    if len(pairs) < len(answers):
        return None
    return sum(n * b for n, b in pairs) / sum(n for n, _ in pairs)


def _sum(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None
