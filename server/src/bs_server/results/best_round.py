"""Which round becomes the model, and which may still."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from bs_common.best_round import best_of, deciding_auc
from bs_common.errors import StudyStopped
from bs_server.results.summary import RoundSummary

ChosenBy = Literal["pooled_auc", "validation_loss"]


def choose_best(
    rounds: Sequence[RoundSummary], *, same_scans: bool = True
) -> tuple[RoundSummary, ChosenBy]:
    """Choose among the trained rounds: highest pooled AUC, or lowest loss.

    The rule is that of `bs_common.best_round`. Round 0, the starting weights, does not compete.

    Parameters
    ----------
    same_scans : compare only rounds that the same sites validated, namely as many as ever did; of
        two such groups of sites the one with more rounds. Otherwise all rounds compete, though a
        figure from other scans may be higher for that alone.
    """
    trained = [entry for entry in rounds if entry.round > 0]
    if not trained:
        raise StudyStopped("No round was finished, so there is no model to choose.")
    compared = _same_scans(trained) if same_scans else trained
    aucs = [deciding_auc(entry.pooled_auc, entry.pooled_auc_bound) for entry in compared]
    best = compared[best_of(aucs, [entry.validation_loss for entry in compared])]
    return best, "validation_loss" if None in aucs else "pooled_auc"


def contenders(rounds: Sequence[RoundSummary]) -> list[RoundSummary]:
    """Give every round that may still become the model, whichever figure and rule decides."""
    trained = [entry for entry in rounds if entry.round > 0]
    if not trained:
        return []
    groups = [trained, *_by_scans(trained)]
    return [best(group) for group in groups for best in (_by_auc, _by_loss)]


def _same_scans(trained: Sequence[RoundSummary]) -> list[RoundSummary]:
    """Give the rounds of the largest group of sites."""
    groups = _by_scans(trained)
    return min(groups, key=lambda group: (len(group[0].not_validated), -len(group)))


def _by_scans(trained: Sequence[RoundSummary]) -> list[list[RoundSummary]]:
    """Group the rounds by the sites whose scans judged them."""
    groups: dict[frozenset[str], list[RoundSummary]] = {}
    for entry in trained:
        groups.setdefault(frozenset(entry.not_validated), []).append(entry)
    return list(groups.values())


def _by_auc(rounds: Sequence[RoundSummary]) -> RoundSummary:
    return max(rounds, key=lambda e: (-1.0 if e.pooled_auc is None else e.pooled_auc, -e.round))


def _by_loss(rounds: Sequence[RoundSummary]) -> RoundSummary:
    return min(rounds, key=lambda e: (_or_infinity(e.validation_loss), e.round))


def _or_infinity(value: float | None) -> float:
    return float("inf") if value is None else value
