"""Net benefit against another library and cases worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from bs_common.decision_curve import net_benefit
from bs_common.errors import DataError
from bs_common.metrics import Confusion, confusion

# fmt: off
PROBABILITIES = np.array([
    0.598, 0.21, 0.438, 0.835, 0.757, 0.527, 0.656, 0.313, 0.679, 0.945, 0.568, 0.226, 0.56, 0.832,
    0.551, 0.37, 0.479, 0.238, 0.639, 0.38, 0.329, 0.852, 0.484, 0.357, 0.833, 0.696, 0.162, 0.72,
    0.273, 0.457, 0.478, 0.505, 0.491, 0.71, 0.26, 0.402, 0.527, 0.205, 0.556, 0.523,
])
# fmt: on
LABELS = np.arange(40) % 3 == 0
# dcurves 1.1.7 for these scans: threshold, model, everybody.
DCURVES = [
    (0.10, 0.277778, 0.277778),
    (0.20, 0.193750, 0.187500),
    (0.35, 0.121154, 0.000000),
    (0.50, 0.075000, -0.300000),
    (0.70, 0.033333, -1.166667),
]


@pytest.mark.parametrize(("threshold", "model", "everybody"), DCURVES)
def test_net_benefit_is_that_of_dcurves(threshold: float, model: float, everybody: float) -> None:
    calls = np.greater_equal(PROBABILITIES, threshold)

    found = net_benefit(confusion(calls, LABELS), threshold)

    assert (found.model, found.everybody) == pytest.approx((model, everybody), abs=1e-6)


def test_the_published_table_at_a_half() -> None:
    found = net_benefit(Confusion(tp=338, fn=73, tn=472, fp=115), 0.5)

    assert found.model == (338 - 115) / 998
    assert found.everybody == (411 - 587) / 998


def test_calling_everybody_is_acting_on_everybody() -> None:
    found = net_benefit(Confusion(tp=30, fn=0, tn=0, fp=70), 0.2)

    assert found.model == found.everybody == pytest.approx(0.3 - 0.7 * 0.25)


def test_calling_nobody_benefits_nobody() -> None:
    assert net_benefit(Confusion(tp=0, fn=30, tn=70, fp=0), 0.2).model == 0


@pytest.mark.parametrize(("table", "threshold"), [((0, 0, 0, 0), 0.5), ((1, 1, 1, 1), 1.0)])
def test_without_scans_or_at_the_ends_there_is_none(
    table: tuple[int, int, int, int], threshold: float
) -> None:
    with pytest.raises(DataError):
        net_benefit(Confusion(*table), threshold)
