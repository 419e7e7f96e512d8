"""Pooling the sites' validation replies: one loss, and one AUC with its bound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bs_common.bins import bins_from_metrics, bracket_auc
from bs_common.messages import Reply
from bs_common.metrics import ClassTooSmall
from bs_common.thresholds import Threshold, choose_threshold
from bs_server.results.summary import SMALL_CELL


@dataclass(frozen=True, slots=True)
class PooledValidation:
    """What all validation scans together say of one set of weights.

    threshold : what the study's rule chooses on them; None where it chooses nothing or cannot.
    auc, auc_bound : None where a site hid its histograms or a class is empty.
    loss : mean cross-entropy over all validation scans.
    """

    auc: float | None
    auc_bound: float | None
    loss: float
    examples: int
    hidden: Mapping[str, str]
    threshold: Threshold | None = None


def pool_validation(replies: Mapping[str, Reply], rule: str = "fixed") -> PooledValidation:
    """Bracket the sites' common AUC and average their losses by examples, in site-name order.

    Parameters
    ----------
    rule : the study's threshold rule, applied to all sites' scores together.

    Raises
    ------
    ReplyRefused if a site's score bins do not belong together.
    """
    ordered = [replies[name] for name in sorted(replies)]
    examples = [_whole(reply, "num-examples") for reply in ordered]
    losses = [_real(reply, "loss") for reply in ordered]
    loss = sum(n * value for n, value in zip(examples, losses, strict=True)) / sum(examples)
    bins = [found for reply in ordered if (found := bins_from_metrics(reply.metrics)) is not None]
    if len(bins) < len(ordered):
        hidden = dict.fromkeys(("pooled_auc", "pooled_auc_bound"), SMALL_CELL)
        return PooledValidation(None, None, loss, sum(examples), hidden)
    try:
        auc, bound = bracket_auc(bins)
    except ClassTooSmall:
        return PooledValidation(None, None, loss, sum(examples), {})
    chosen = choose_threshold(rule, bins)
    return PooledValidation(auc, bound, loss, sum(examples), {}, chosen)


def _whole(reply: Reply, name: str) -> int:
    value = reply.metrics[name]
    if not isinstance(value, int):
        raise TypeError(f"{name} is not a whole number")
    return value


def _real(reply: Reply, name: str) -> float:
    value = reply.metrics[name]
    if not isinstance(value, float):
        raise TypeError(f"{name} is not a number")
    return value
