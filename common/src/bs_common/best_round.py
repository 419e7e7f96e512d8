"""Which of several rounds is the best: one rule for a study and for a model of one site's scans."""

from __future__ import annotations

from collections.abc import Sequence

# An AUC known less well than this chooses no round: rounds differ by a hundredth or two.
COARSE = 0.05


def deciding_auc(auc: float | None, bound: float | None) -> float | None:
    """Give the AUC of a round where it is known well enough to choose by, else None."""
    return None if bound is not None and bound > COARSE else auc


def best_of(aucs: Sequence[float | None], losses: Sequence[float | None]) -> int:
    """Give the place of the best round: highest AUC, or lowest loss where any AUC is None.

    The earlier round wins a tie; one of unknown loss is chosen last. `aucs` are what `deciding_auc`
    gives.

    Raises ValueError if there is no round.
    """
    known = [auc for auc in aucs if auc is not None]
    if len(known) == len(aucs):
        return max(range(len(known)), key=lambda place: (known[place], -place))
    order = [float("inf") if loss is None else loss for loss in losses]
    return min(range(len(order)), key=lambda place: (order[place], place))
