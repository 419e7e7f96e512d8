"""The one external evaluation: each evaluate site is asked once, and its answer kept on disk.

After a crash in between, the very same question may be sent again, which a site answers from its
own record.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from bs_common.bins import bins_from_metrics, edges_with
from bs_common.contract import (
    AGREEMENT_MEASURES,
    AGREEMENT_SOURCES,
    CONFUSION_CELLS,
    SUBGROUPS,
)
from bs_common.errors import ReplyRefused, StudyStopped
from bs_common.messages import Reply
from bs_common.metrics import wilson
from bs_common.weights import digest
from bs_server.config import StudyFolder
from bs_server.evaluation.compared import compared_rows
from bs_server.evaluation.external_figures import benefit_of, calibration_of, curve_of, rates_of
from bs_server.evaluation.question import Question, answered, keep_answers, write_down
from bs_server.federation.exchange import Answer, Exchange, NoAnswer, Patience
from bs_server.federation.reasons import remedy_for
from bs_server.federation.sites import refused_counts
from bs_server.results.comparison import ComparisonRow
from bs_server.results.external_values import (
    MapAgreement,
    Rate,
    ScoreTable,
    SubgroupTable,
)
from bs_server.results.summary import SMALL_CELL, ExternalSummary


class ExternalMissing(StudyStopped):
    """An evaluate site has not judged the model yet; only this step is left."""


def ask_once(
    folder: StudyFolder,
    exchange: Exchange,
    sites: tuple[str, ...],
    *,
    question: Question,
    patience: Patience | None = None,
    judge_alone: Collection[str] = (),
) -> list[ExternalSummary]:
    """Give every evaluate site's judgement of the chosen weights, from disk where it was given.

    All sites are asked at the same time, but those in `judge_alone` after the others, about the
    study's model without those beside it. An answer is on disk before a missing one stops the
    study, so that nobody is asked twice. A study without an evaluate site has none.

    Raises
    ------
    ExternalMissing
        If a site does not answer in time, or has no usable answer now.
    TrustError
        If the sites were asked about another model or threshold before.
    """
    known = answered(folder)
    missing = tuple(site for site in sites if site not in known)
    if missing:
        asked = write_down(folder, question, missing, judge_alone)
        comparing = tuple(site for site in missing if site not in asked.alone)
        alone = tuple(site for site in missing if site in asked.alone)
        reasons = _ask(folder, exchange, comparing, question, patience)
        reasons |= _ask(folder, exchange, alone, replace(question, beside=()), patience)
        _require_all(reasons)
    known = answered(folder)
    return [known[site] for site in sorted(sites)]


def _ask(
    folder: StudyFolder,
    exchange: Exchange,
    sites: tuple[str, ...],
    question: Question,
    patience: Patience | None,
) -> dict[str, str]:
    """Ask, keep the answers on disk, and give each site without a usable one with the reason."""
    if not sites:
        return {}
    found: dict[str, ExternalSummary] = {}
    rows: dict[str, list[ComparisonRow]] = {}
    reasons: dict[str, str] = {}
    seed = question.settings.seed
    for site, answer in exchange.ask(question.request(), sites, patience=patience).items():
        try:
            reply = _usable(answer, question)
            found[site] = summarise_external(site, reply, question)
            if question.beside:
                rows[site] = compared_rows(reply, question.beside, site=site, seed=seed)
        except ReplyRefused as error:
            found.pop(site, None)
            reasons[site] = error.reason
    keep_answers(folder, found, rows)
    return reasons


def _require_all(reasons: Mapping[str, str]) -> None:
    if reasons:
        named = ", ".join(f"{site} ({reason})" for site, reason in sorted(reasons.items()))
        raise ExternalMissing(
            f"No usable external evaluation from {named}.",
            remedy=remedy_for(
                reasons.values(),
                otherwise="Mend the cause there, then run again: only this step is left.",
            ),
        )


def _usable(answer: Answer, question: Question) -> Reply:
    if isinstance(answer, NoAnswer):
        raise ReplyRefused(answer.reason, "no usable answer")
    if answer.texts["weights-sha256"] != digest(question.arrays):
        raise ReplyRefused("other_weights", "the site judged other weights than it was sent")
    return answer


def summarise_external(site: str, reply: Reply, question: Question) -> ExternalSummary:
    """Turn an evaluate site's reply into its place in the summary; hidden cells become null.

    Raises ReplyRefused if the score bins of the two classes do not belong together.
    """
    settings = question.settings
    cells = {name: _count(reply, name) for name in CONFUSION_CELLS}
    rates = rates_of(cells, seed=settings.seed, resamples=settings.bootstrap_resamples)
    hidden = dict.fromkeys(_summary_names(reply.hidden), SMALL_CELL)
    if None in cells.values():
        hidden |= {f"rates.{name}": SMALL_CELL for name in rates}
    bins = bins_from_metrics(reply.metrics, edges_with(question.threshold))
    return ExternalSummary(
        site=site,
        round=reply.round_number,
        auc=_share(reply, "auc"),
        auc_ci=_interval(reply, "auc"),
        auc_method="DeLong",
        auc_bootstrap_ci=_interval(reply, "auc-bootstrap"),
        tp=cells["tp"],
        fn=cells["fn"],
        tn=cells["tn"],
        fp=cells["fp"],
        threshold=question.threshold,
        threshold_rule=question.rule,
        rates=rates,
        roc=None if bins is None else curve_of(bins),
        scores=None if bins is None else ScoreTable.of(bins),
        calibration=None if bins is None else calibration_of(bins),
        slope=_rate(reply, "slope"),
        intercept=_rate(reply, "intercept"),
        brier=_share(reply, "brier"),
        decision_curve=[] if bins is None else benefit_of(bins),
        subgroups=_subgroups(reply),
        agreement=_agreement(reply),
        artefacts=_artefacts(reply),
        refused=refused_counts(reply),
        hidden=hidden,
    )


def _summary_names(hidden: tuple[str, ...]) -> list[str]:
    """Translate names on the wire to those of the summary, which has no overlays."""
    names: set[str] = set()
    for name in hidden:
        first, _, rest = name.partition(".")
        if first == "histogram":
            names |= {"roc", "scores", "calibration"}
        elif first in ("agreement", "masks"):
            names.add("agreement")
        elif first == "artefact":
            names.add(f"artefacts.{rest}")
        elif name.endswith(("-low", "-high")):
            stem = name.rpartition("-")[0]
            names.add({"auc": "auc_ci", "auc-bootstrap": "auc_bootstrap_ci"}.get(stem, stem))
        elif name != "overlays":
            names.add(name)
    return sorted(names)


def _subgroups(reply: Reply) -> list[SubgroupTable]:
    """Give the table of every level that the site knows of, in the contract's order."""
    tables = []
    for variable, levels in SUBGROUPS.items():
        for level in levels:
            names = [f"subgroup.{variable}.{level}.{cell}" for cell in CONFUSION_CELLS]
            if any(name in reply.metrics or name in reply.hidden for name in names):
                counts = [_count(reply, name) for name in names]
                tables.append(subgroup_table(variable, level, counts))
    return tables


def subgroup_table(variable: str, level: str, counts: list[int | None]) -> SubgroupTable:
    """Give a level's table with its two rates; the counts are in the order tp, fn, tn, fp."""
    tp, fn, tn, fp = counts
    return SubgroupTable(
        variable=variable,
        level=level,
        tp=tp,
        fn=fn,
        tn=tn,
        fp=fp,
        sensitivity=_share_of(tp, fn),
        specificity=_share_of(tn, fp),
    )


def _share_of(right: int | None, wrong: int | None) -> Rate:
    if right is None or wrong is None or right + wrong == 0:
        return Rate(value=None, low=None, high=None)
    low, high = wilson(right, right + wrong)
    return Rate(value=right / (right + wrong), low=low, high=high)


def _agreement(reply: Reply) -> MapAgreement | None:
    scans = _count(reply, "masks")
    if scans is None:
        return None
    return MapAgreement(
        scans=scans,
        by_source={
            source: {
                measure: rate
                for measure in AGREEMENT_MEASURES
                if (rate := _rate(reply, f"agreement.{source}.{measure}")) is not None
            }
            for source in AGREEMENT_SOURCES
        },
    )


def _artefacts(reply: Reply) -> dict[str, float]:
    prefix = "artefact."
    return {
        name.removeprefix(prefix): value
        for name, value in sorted(reply.metrics.items())
        if name.startswith(prefix) and isinstance(value, float)
    }


def _rate(reply: Reply, name: str) -> Rate | None:
    value = _share(reply, name)
    if value is None:
        return None
    low, high = _interval(reply, name) or (None, None)
    return Rate(value=value, low=low, high=high)


def _interval(reply: Reply, name: str) -> tuple[float, float] | None:
    low, high = _share(reply, f"{name}-low"), _share(reply, f"{name}-high")
    return None if low is None or high is None else (low, high)


def _share(reply: Reply, name: str) -> float | None:
    value = reply.metrics.get(name)
    return value if isinstance(value, float) else None


def _count(reply: Reply, name: str) -> int | None:
    value = reply.metrics.get(name)
    return value if isinstance(value, int) else None
