"""FedAvg: the mean of the sites' weights, each counted by its examples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bs_common.architecture import NamedArrays


@dataclass(frozen=True, slots=True)
class Update:
    """One site's trained weights and the number of examples they were trained on (> 0)."""

    arrays: NamedArrays
    num_examples: int


def federated_average(updates: Mapping[str, Update]) -> NamedArrays:
    r"""Average updates by their examples (McMahan et al. 2017, algorithm 1).

    :math:`w = \sum_k (n_k / n) w_k` with :math:`n = \sum_k n_k`. Sites are summed in name order,
    in float64, and the sum is rounded to float32 once: the result does not depend on the order in
    which answers arrived.

    Raises ValueError if there is no update.
    """
    if not updates:
        raise ValueError("no update to average")
    ordered = [updates[name] for name in sorted(updates)]
    total = sum(update.num_examples for update in ordered)
    average: NamedArrays = {}
    for name, first in ordered[0].arrays.items():
        mean = np.zeros(first.shape, np.float64)
        for update in ordered:
            mean += update.arrays[name] * np.float64(update.num_examples / total)
        average[name] = mean.astype(np.float32)
    return average
