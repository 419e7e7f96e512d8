"""Models judged side by side on the same held-out scans, to say what federation gained each site.

All of them were frozen before any held-out scan was seen. A row stands for one model, one seed and
one evaluate site; the differences between models are those of paired scans.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from bs_server.results.external_values import Count, Hidden, PartlyHidden, Sha256, Share, Value

ModelKind = Literal["federated", "local", "centralised"]

SignedShare = Annotated[float, Field(ge=-1, le=1)]
TABLE = ("tp", "fn", "tn", "fp")


class AucDifference(Value):
    """The federated model's AUC minus another's, on the same scans (paired DeLong).

    low, high : 95 % interval.
    p : two-sided, of equal areas.
    """

    value: SignedShare
    low: SignedShare
    high: SignedShare
    p: Share


class ComparisonRow(PartlyHidden):
    """One frozen model on one evaluate site's scans.

    model : ``federated``; ``local``, trained on one site's scans alone; or ``centralised``, on
        those of all sites together, which only a simulation may do.
    site : whose scans alone trained a local model; None for the others.
    seed : of the study that the model was trained in.
    best_round : chosen on the model's own validation scans, with `validation_auc` on these.
    auc, auc_low, auc_high : with 95 % interval (DeLong).
    difference : federated minus this model; None for the federated one.
    threshold : chosen by the study's rule on the model's own validation scans.
    tp, fn, tn, fp : scans at `threshold`, positive meaning metastasis.
    rounded_to : 1 where the table is exact; otherwise each of its counts is the middle of at least
        so many possible ones, so that the difference of two models' counts tells of no small group.
        The rows still add to all scans of the class.
    hidden : the field's name -> why it is null.
    """

    model: ModelKind
    site: str | None
    seed: Annotated[int, Field(ge=0)]
    evaluate_site: str
    weights_sha256: Sha256
    best_round: Annotated[int, Field(ge=0)] | None = None
    validation_auc: Share | None = None
    auc: Share | None
    auc_low: Share | None
    auc_high: Share | None
    difference: AucDifference | None
    threshold: Annotated[float, Field(gt=0, lt=1)]
    tp: Count | None
    fn: Count | None
    tn: Count | None
    fp: Count | None
    rounded_to: Annotated[int, Field(ge=1)] = 1
    hidden: Hidden = Field(default_factory=dict)

    def cells(self) -> Mapping[str, object]:
        """Name the area with its interval, the difference and the table."""
        names = ("auc", "auc_low", "auc_high", "difference", "validation_auc", *TABLE)
        return {name: getattr(self, name) for name in names}

    @property
    def sensitivity(self) -> float | None:
        """Share of the scans with metastasis called positive; None where hidden or without any."""
        return _share(self.tp, self.fn)

    @property
    def specificity(self) -> float | None:
        """Share of the scans without metastasis called negative; None where hidden or without."""
        return _share(self.tn, self.fp)

    @model_validator(mode="after")
    def _is_of_its_kind(self) -> Self:
        if (self.model == "local") != (self.site is not None):
            raise ValueError("a local model has a site, and no other has")
        if self.model == "federated" and self.difference is not None:
            raise ValueError("the federated model is what the others are compared with")
        return self


class Comparison(Value):
    """All models of a study, or of a simulation's runs, on the evaluate sites' scans.

    rows : for each seed and evaluate site the federated model first.
    left_out : train site -> why there is no local model of it.
    not_compared : evaluate site -> why it judged the federated model alone.
    synthetic : whether any scan was made artificially: the figures then say nothing of patients.
    """

    rows: list[ComparisonRow]
    synthetic: bool = False
    left_out: dict[str, str] = Field(default_factory=dict)
    not_compared: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _every_model_stands_beside_the_federated_one(self) -> Self:
        keys = [(row.seed, row.evaluate_site, row.model, row.site) for row in self.rows]
        if len(set(keys)) < len(keys):
            raise ValueError("a model stands twice for the same seed and evaluate site")
        federated = {(row.seed, row.evaluate_site) for row in self.rows if row.model == "federated"}
        if alone := {key[:2] for key in keys} - federated:
            raise ValueError(f"no federated model for seed and evaluate site {sorted(alone)}")
        return self


def _share(right: int | None, wrong: int | None) -> float | None:
    if right is None or wrong is None or right + wrong == 0:
        return None
    return right / (right + wrong)
