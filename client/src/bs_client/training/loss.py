"""The loss by which training and validation judge the network."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def cross_entropy(margins: NDArray[np.float64], labels: NDArray[np.bool_]) -> float:
    """Give the mean categorical cross-entropy of two classes from logit margins.

    With margin m = z_1 - z_0 and label y it is log(1 + exp(-m)) for y = 1 and log(1 + exp(m)) for
    y = 0, which stays finite for margins of any size.

    Parameters
    ----------
    margins, labels : (N,), N >= 1.
    """
    signed = np.where(labels, -margins, margins)
    return float(np.logaddexp(0.0, signed).mean())
