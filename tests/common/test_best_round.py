"""The rule that chooses a round."""

from __future__ import annotations

import pytest

from bs_common.best_round import COARSE, best_of, deciding_auc


@pytest.mark.parametrize(
    ("aucs", "losses", "place"),
    [
        ([0.7, 0.9, 0.8], [0.1, 0.9, 0.2], 1),
        ([0.9, 0.9], [0.5, 0.1], 0),  # the earlier of equals, whatever the loss
        ([0.9, None], [0.5, 0.1], 1),
        ([None, None], [None, 0.9], 1),
        ([None, None], [None, None], 0),
        ([0.0, 0.0], [1.0, 0.5], 0),  # an area of zero is known
    ],
)
def test_the_highest_area_decides_or_else_the_lowest_loss(
    aucs: list[float | None], losses: list[float | None], place: int
) -> None:
    assert best_of(aucs, losses) == place


def test_an_area_that_is_known_coarsely_chooses_nothing() -> None:
    assert deciding_auc(0.9, COARSE) == 0.9
    assert deciding_auc(0.9, 1.01 * COARSE) is None
    assert deciding_auc(None, None) is None
