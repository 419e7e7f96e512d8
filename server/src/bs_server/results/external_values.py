"""What values of a summary have in common, and the parts of an external result beside its counts.

Those parts are bins, benefit, subgroups and maps.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from bs_common.bins import ScoreBins

Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Hidden = dict[str, str]  # cell -> why it is null


class Value(BaseModel):
    """What every part of a summary has in common."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


class PartlyHidden(Value):
    """A value of which some cells may be null, each with its reason in `hidden`."""

    hidden: Hidden

    def cells(self) -> Mapping[str, object]:
        """Name every cell that may be hidden, with its value; None where it is not known."""
        raise NotImplementedError

    @model_validator(mode="after")
    def _hidden_cells_are_null(self) -> Self:
        cells = self.cells()
        for name in self.hidden:
            if name not in cells and not self._may_be_absent(name):
                raise ValueError(f"hidden: {name} is not a cell of this value")
            if cells.get(name) is not None:
                raise ValueError(f"hidden: {name} has a value")
        return self

    def _may_be_absent(self, _name: str) -> bool:
        return False


class Rate(Value):
    """A figure with its 95 % interval; an interval is absent where none is defined."""

    value: float | None
    low: float | None
    high: float | None

    @model_validator(mode="after")
    def _interval_is_whole(self) -> Self:
        if (self.low is None) != (self.high is None):
            raise ValueError("an interval has both ends or none")
        return self


class ScoreTable(Value):
    """Scans of each class between edges of the logit margin, as the site has merged them."""

    edges: list[float]
    no_metastasis: list[Count]
    metastasis: list[Count]

    @model_validator(mode="after")
    def _rows_fit_the_edges(self) -> Self:
        if not len(self.no_metastasis) == len(self.metastasis) == len(self.edges) + 1:
            raise ValueError("each class has one count more than there are edges")
        return self

    @classmethod
    def of(cls, bins: ScoreBins) -> Self:
        """Write bins down."""
        without, with_metastasis = bins.counts.tolist()
        return cls(edges=bins.edges.tolist(), no_metastasis=without, metastasis=with_metastasis)

    def bins(self) -> ScoreBins:
        """Give the bins to compute with."""
        counts = np.array([self.no_metastasis, self.metastasis], np.int64)
        return ScoreBins(np.array(self.edges, np.float64), counts)


class BenefitPoint(Value):
    """Net benefit a scan of acting on the model, or on everybody, from a probability on."""

    probability: Share
    model: float
    everybody: float


class SubgroupTable(Value):
    """Calls at the threshold among the scans of one level; None where hidden.

    variable, level : as the contract names them, such as ``sex`` and ``female``.
    sensitivity, specificity : empty without scans of the class.
    """

    variable: str
    level: str
    tp: Count | None
    fn: Count | None
    tn: Count | None
    fp: Count | None
    sensitivity: Rate
    specificity: Rate


class MapAgreement(Value):
    """Maps against masks, means over scans.

    by_source : source (model, intensity, body, ceiling) -> measure -> mean with interval.
    """

    scans: Count
    by_source: dict[str, dict[str, Rate]]
