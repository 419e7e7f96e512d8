"""The three probability laws that describe how patients, findings and scanners vary."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Uniform:
    """Every value between `low` and `high` alike."""

    low: float
    high: float

    def draw(self, rng: np.random.Generator) -> float:
        """Draw one value."""
        return float(rng.uniform(self.low, self.high))


@dataclass(frozen=True, slots=True)
class Normal:
    """A Gaussian; values beyond `low` and `high` are moved onto them."""

    mean: float
    deviation: float
    low: float = -math.inf
    high: float = math.inf

    def draw(self, rng: np.random.Generator) -> float:
        """Draw one value."""
        return float(min(max(rng.normal(self.mean, self.deviation), self.low), self.high))


@dataclass(frozen=True, slots=True)
class LogNormal:
    """A positive factor: its logarithm is Gaussian around log(`median`)."""

    median: float
    log_deviation: float

    def draw(self, rng: np.random.Generator) -> float:
        """Draw one value."""
        return float(rng.lognormal(math.log(self.median), self.log_deviation))


Law = Uniform | Normal | LogNormal
