"""Models judged beside the study's: what an evaluate site's answer says of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bs_common.architecture import NamedArrays
from bs_common.contract import CONFUSION_CELLS, ROUNDED_TO
from bs_common.errors import ReplyRefused
from bs_common.messages import Metric, Reply
from bs_common.settings import StudySettings
from bs_server.results.comparison import AucDifference, Comparison, ComparisonRow
from bs_server.results.external_values import Hidden
from bs_server.results.summary import SMALL_CELL, ExternalSummary, RoundSummary
from bs_server.storage.frozen import FrozenModel

_AUC = ("auc", "auc-low", "auc-high", "difference", "difference-low", "difference-high", "p")
_AUC_CELLS = ("auc", "auc_low", "auc_high", "difference")


@dataclass(frozen=True, slots=True)
class Beside:
    """A frozen model that is judged beside the study's, with its weights."""

    model: FrozenModel
    arrays: NamedArrays


def compared_rows(
    reply: Reply, beside: Sequence[Beside], *, site: str, seed: int
) -> list[ComparisonRow]:
    """Read what an evaluate site says of every model, in the order of the request.

    Raises ReplyRefused with `other_weights` if it judged others, or with `missing_key` if it says
    nothing of one and does not hide it either.
    """
    judged = ",".join(one.model.weights_sha256 for one in beside)
    if reply.texts["compared-sha256"] != judged:
        raise ReplyRefused("other_weights", "the site compared other weights than it was sent")
    return [
        _row(reply, f"compared.{place}", one.model, site=site, seed=seed)
        for place, one in enumerate(beside, start=1)
    ]


def _row(reply: Reply, prefix: str, model: FrozenModel, *, site: str, seed: int) -> ComparisonRow:
    area, table = _numbers(reply, prefix, _AUC), _numbers(reply, prefix, CONFUSION_CELLS)
    hidden: Hidden = dict.fromkeys([] if area else _AUC_CELLS, SMALL_CELL)
    hidden |= dict.fromkeys([] if table else CONFUSION_CELLS, SMALL_CELL)
    hidden |= dict.fromkeys(
        [] if model.validation_auc is not None else ["validation_auc"], SMALL_CELL
    )
    named: dict[str, object] = dict.fromkeys((*_AUC_CELLS, *CONFUSION_CELLS))
    if area:
        auc, low, high, difference, difference_low, difference_high, p = area
        named |= {"auc": auc, "auc_low": low, "auc_high": high}
        named["difference"] = AucDifference.model_validate(
            {"value": difference, "low": difference_low, "high": difference_high, "p": p}
        )
    if table:
        named |= dict(zip(CONFUSION_CELLS, table, strict=True))
    named |= {"model": "local", "site": model.site, "seed": seed, "evaluate_site": site}
    named |= model.model_dump(exclude={"site"})
    return ComparisonRow.model_validate(
        {**named, "rounded_to": reply.metrics.get(ROUNDED_TO, 1), "hidden": hidden}
    )


def _numbers(reply: Reply, prefix: str, names: Sequence[str]) -> list[Metric] | None:
    """Give the numbers of these names; None where they are hidden."""
    full = [f"{prefix}.{name}" for name in names]
    if all(name in reply.hidden for name in full):
        return None
    if not all(name in reply.metrics for name in full):
        raise ReplyRefused("missing_key", f"{prefix}: not every figure, and not hidden")
    return [reply.metrics[name] for name in full]


def comparison_of(
    settings: StudySettings,
    best: RoundSummary,
    external: Sequence[ExternalSummary],
    rows_by_site: Mapping[str, Sequence[ComparisonRow]],
    *,
    left_out: Mapping[str, str],
    not_compared: Mapping[str, str],
) -> Comparison:
    """Put the study's model and those beside it together, for each evaluate site.

    left_out, not_compared : train and evaluate sites with the reason, as in `Comparison`.
    """
    rows: list[ComparisonRow] = []
    for judged in external:
        rows += [federated_row(judged, best, settings), *rows_by_site.get(judged.site, [])]
    return Comparison(rows=rows, left_out=dict(left_out), not_compared=dict(not_compared))


def federated_row(
    judged: ExternalSummary, best: RoundSummary, settings: StudySettings
) -> ComparisonRow:
    """Give the study's own model its row; its table is exact."""
    low, high = judged.auc_ci or (None, None)
    hidden = {name: why for name, why in judged.hidden.items() if name in ("auc", *CONFUSION_CELLS)}
    if "auc_ci" in judged.hidden:
        hidden |= dict.fromkeys(("auc_low", "auc_high"), judged.hidden["auc_ci"])
    if why := best.hidden.get("pooled_auc"):
        hidden["validation_auc"] = why
    return ComparisonRow(
        model="federated",
        site=None,
        seed=settings.seed,
        evaluate_site=judged.site,
        weights_sha256=best.weights_sha256,
        best_round=best.round,
        validation_auc=best.pooled_auc,
        auc=judged.auc,
        auc_low=low,
        auc_high=high,
        difference=None,
        threshold=judged.threshold,
        tp=judged.tp,
        fn=judged.fn,
        tn=judged.tn,
        fp=judged.fp,
        hidden=hidden,
    )
