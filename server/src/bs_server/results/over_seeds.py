"""How a comparison's figures vary from seed to seed.

A figure's interval within a seed is of another kind: it tells how far chance in the choice of the
evaluate site's scans reaches, for one trained model. The two are shown side by side, never added.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bs_server.results.comparison import Comparison, ComparisonRow, ModelKind


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure over the seeds in which it is known.

    deviation : standard deviation (n - 1); None of a single seed.
    """

    seeds: int
    mean: float
    deviation: float | None
    lowest: float
    highest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread | None:
        """Summarise at least one value; None for none."""
        if not values:
            return None
        deviation = statistics.stdev(values) if len(values) > 1 else None
        return cls(len(values), statistics.fmean(values), deviation, min(values), max(values))


@dataclass(frozen=True, slots=True)
class OverSeeds:
    """One model's figures on one evaluate site's scans, over the seeds.

    difference : federated minus this model; None for the federated one.
    rows : of the single seeds, by seed.
    """

    evaluate_site: str
    model: ModelKind
    site: str | None
    auc: Spread | None
    difference: Spread | None
    rows: tuple[ComparisonRow, ...]


def over_seeds(comparison: Comparison) -> Iterator[OverSeeds]:
    """Give each model's figures over the seeds, in the order of the rows."""
    groups: dict[tuple[str, ModelKind, str | None], list[ComparisonRow]] = {}
    for row in comparison.rows:
        groups.setdefault((row.evaluate_site, row.model, row.site), []).append(row)
    for (evaluate_site, model, site), rows in groups.items():
        yield OverSeeds(
            evaluate_site=evaluate_site,
            model=model,
            site=site,
            auc=Spread.of([row.auc for row in rows if row.auc is not None]),
            difference=Spread.of([row.difference.value for row in rows if row.difference]),
            rows=tuple(sorted(rows, key=lambda row: row.seed)),
        )
