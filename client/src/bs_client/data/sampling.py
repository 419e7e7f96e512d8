"""Which scans an epoch shows and in which order: all positives, as many negatives drawn anew."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bs_common.errors import DataError
from bs_common.randomness import generator

Indices = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Epoch:
    """What was drawn for one epoch.

    indices : (n,) positions in the site's training scans, in the order of training.
    flips : (n,) whether the scan at that place is flipped along the vertical axis.
    """

    indices: Indices
    flips: Flags


def balanced_epoch(labels: Flags, *, seed: int, site: str, round_number: int, epoch: int) -> Epoch:
    """Draw a balanced epoch: every positive once and equally many negatives, each flipped or not.

    With at least as many negatives as positives, the negatives are distinct and drawn anew for
    every epoch (the paper: 329 of 874). With p positives and fewer negatives n, the positives
    still decide: every negative is shown floor(p / n) times and the remaining p mod n places go
    to distinct negatives.

    Parameters
    ----------
    labels : (N,) bool, whether each training scan is positive, in manifest order.
    seed, site, round_number, epoch : name the draws, with the purposes "negatives", "order"
        and "flip" (probability 0.5).

    Raises
    ------
    DataError
        One of the classes is missing.
    """
    positives, negatives = np.flatnonzero(labels), np.flatnonzero(~labels)
    if not positives.size or not negatives.size:
        raise DataError(
            f"{positives.size} training scans with and {negatives.size} without metastasis, "
            "expected at least 1 of each",
            remedy="Add labelled scans of the missing class, or correct the split column.",
        )
    draws = {
        purpose: generator(seed, site, round_number, epoch, purpose)
        for purpose in ("negatives", "order", "flip")
    }
    times, remaining = divmod(positives.size, negatives.size)
    drawn = draws["negatives"].choice(negatives, remaining, replace=False)
    chosen = np.concatenate([positives, np.tile(negatives, times), drawn])
    return Epoch(
        indices=draws["order"].permutation(chosen),
        flips=draws["flip"].random(chosen.size) < 0.5,
    )


def batches(epoch: Epoch, batch_size: int) -> Iterator[tuple[Indices, Flags]]:
    """Cut an epoch into (indices, flips) of `batch_size` scans; the last may be smaller."""
    for start in range(0, epoch.indices.size, batch_size):
        part = slice(start, start + batch_size)
        yield epoch.indices[part], epoch.flips[part]
