"""The result of a study in the one or two sentences a reader sees first."""

from __future__ import annotations

from bs_server.report import wording
from bs_server.results.summary import POOLED, ExternalSummary, Summary


def headline(summary: Summary) -> str:
    """Say what the study found, and what must be known to read it."""
    sentences = [_result(summary)]
    if summary.settings.backbone.startswith("random:"):
        sentences.append(
            "The convolutions of this model started from random numbers, not from ImageNet."
        )
    return " ".join(sentences)


def _result(summary: Summary) -> str:
    if summary.external is not None:
        return _external(summary.external, _external_scans(summary, summary.external))
    best = next((entry for entry in summary.rounds if entry.round == summary.best_round), None)
    if best is None:
        return "No round was chosen, and no external site was asked: the study has no result."
    auc = wording.pooled_auc(best.pooled_auc, best.pooled_auc_bound)
    loss = wording.number(best.validation_loss, 4)
    figures = [f"pooled AUC {auc}"] if auc else []
    figures += [f"loss {loss}"] if loss else []
    return (
        "No external result: no evaluate site has answered. On the training sites' own validation "
        f"scans, round {best.round} was best ({', '.join(figures) or 'figures hidden'})."
    )


def _external(external: ExternalSummary, scans: int | None) -> str:
    site = "all evaluate sites" if external.site == POOLED else external.site
    where = f"{scans} scans of {site}" if scans else f"the scans of {site}"
    if external.auc is None:
        ranking = f"On {where}, never trained on, the AUC of round {external.round} is not shown"
    else:
        ranking = (
            f"On {where}, never trained on, the model of round {external.round} "
            f"reached an AUC of {external.auc:.3f}{_auc_interval(external)}"
        )
    known = [
        f"{label} {wording.rate(name, rate.value)}"
        for name, label in (("tpr", "sensitivity"), ("tnr", "specificity"))
        if (rate := external.rates.get(name)) is not None and rate.value is not None
    ]
    if not known:
        return f"{ranking}."
    return (
        f"{ranking}; at threshold {wording.threshold(external.threshold)}, {' and '.join(known)}."
    )


def _auc_interval(external: ExternalSummary) -> str:
    if external.auc_ci is None:
        return ""
    between = wording.interval("auc", *external.auc_ci)
    return f" (95{wording.PER_CENT} CI {between}, {external.auc_method})"


def _external_scans(summary: Summary, external: ExternalSummary) -> int | None:
    cells = (external.tp, external.fn, external.tn, external.fp)
    if any(cell is None for cell in cells):
        return None
    return sum(cell for cell in cells if cell is not None)
