"""The result of a study as one typed value, written as `summary.json` beside the report.

Everything the report shows stands here, computed. A hidden cell is null and its reason stands in
the `hidden` table of the value it belongs to, under the names given by that value's `cells`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, model_validator

from bs_common.errors import ConfigError
from bs_common.files import write_atomic
from bs_common.settings import Role, StudySettings
from bs_server.results.comparison import Comparison
from bs_server.results.external_values import (
    BenefitPoint,
    Count,
    MapAgreement,
    PartlyHidden,
    Rate,
    ScoreTable,
    Sha256,
    Share,
    SubgroupTable,
    Value,
)
from bs_server.results.readers_values import ReadersSummary
from bs_server.results.traffic import AuditSummary

ACCEPTED = "accepted"
DEADLINE = "deadline"  # connected, and no answer in time
AWAY = "away"  # not connected when the wait was over
MISSING = (DEADLINE, AWAY)
POOLED = "pooled"  # stands for a site's name where sites are taken together
SMALL_CELL = "small_cell"  # the reason of a count below the site's `min_cell`

UtcTime = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)$")]


class CohortCount(Value):
    """Scans of one split at one site; None where the count is hidden."""

    split: str
    metastasis: Count | None
    no_metastasis: Count | None


class SiteSummary(PartlyHidden):
    """What one site said of itself.

    refused : refusal code -> studies that could not be used, and files that belong to none.
    min_cell : the smallest count the site lets out, or None where it did not say.
    terms_sha256 : what it approved when it joined.
    hidden : names as ``train.metastasis`` or ``refused.E_CODE``.
    """

    name: str
    role: Role
    key_sha256: Sha256
    device: str
    versions: dict[str, str]
    backbone_sha256: Sha256
    cohort: list[CohortCount]
    refused: dict[str, Count]
    min_cell: Annotated[int, Field(ge=1)] | None = None
    terms_sha256: Sha256 | None = None

    def cells(self) -> Mapping[str, object]:
        """Name the counts of the cohort and the refusals."""
        cohort = {f"{row.split}.metastasis": row.metastasis for row in self.cohort}
        cohort |= {f"{row.split}.no_metastasis": row.no_metastasis for row in self.cohort}
        return cohort | {f"refused.{code}": count for code, count in self.refused.items()}

    def _may_be_absent(self, name: str) -> bool:
        return name.startswith("refused.")


class SiteRound(Value):
    """One site's reply in one round.

    verdict : ``accepted``, the code of the rule that refused the reply or that the site gave,
        ``deadline`` or ``away`` for a site without a reply, ``not_described`` or ``backbone`` for
        one that could not be asked.
    loss, accuracy : of the local training, mean over its examples.
    update_norm : Euclidean length of all the site changed, against which later ones are measured.
    """

    name: str
    verdict: str
    num_examples: Count | None
    loss: float | None
    accuracy: Share | None
    update_norm: Annotated[float, Field(ge=0)] | None = None


class Refusal(Value):
    """A reply that was not used, whether or not the site was asked again and then accepted.

    message : the kind of message it answered, ``train`` or ``evaluate``.
    attempt : 1 for the first reply in this round.
    reason : as a verdict of `SiteRound`.
    """

    name: str
    message: str
    attempt: Annotated[int, Field(ge=1)]
    reason: str


class RoundSummary(PartlyHidden):
    """One round; round 0 is the starting weights.

    pooled_auc, pooled_auc_bound : middle and half width of the bracket that the sites' validation
        histograms leave for the area under the ROC curve.
    validation_loss : mean cross-entropy over all sites' validation scans.
    threshold : probability that the study's rule chooses on these scans; None where the rule is
        ``fixed`` or the scores are hidden.
    sites : every train site, whether it took part or not.
    not_validated : train site -> why the pooled figures are without its scans. Such a round is
        judged on other scans than the rest, and competes only where the study file allows it.
    refusals : replies that were not used, those of a repeated asking included.
    hidden : the field's name, or ``SITE.num_examples``, ``SITE.loss``, ``SITE.accuracy``.
    """

    round: Annotated[int, Field(ge=0)]
    pooled_auc: Share | None
    pooled_auc_bound: Share | None
    validation_loss: float | None
    validation_examples: Count | None
    threshold: Share | None = None
    weights_sha256: Sha256
    seconds: Annotated[float, Field(ge=0)] | None
    sites: list[SiteRound]
    not_validated: dict[str, str] = Field(default_factory=dict)
    refusals: list[Refusal] = Field(default_factory=list)

    def cells(self) -> Mapping[str, object]:
        """Name the pooled figures and each site's."""
        pooled = ("pooled_auc", "pooled_auc_bound", "validation_loss", "validation_examples")
        own = ("num_examples", "loss", "accuracy")
        cells = {name: getattr(self, name) for name in pooled}
        for site in self.sites:
            cells |= {f"{site.name}.{name}": getattr(site, name) for name in own}
        return cells


class RocPoints(Value):
    """Points of a binned ROC curve, from (0, 0) to (1, 1)."""

    fpr: list[Share]
    tpr: list[Share]

    @model_validator(mode="after")
    def _points_are_pairs(self) -> Self:
        if len(self.fpr) != len(self.tpr) or len(self.fpr) < 2:
            raise ValueError("fpr and tpr must have the same length, at least 2")
        return self


class CalibrationBin(Value):
    """Scans whose predicted probability lies between `low` and `high`."""

    low: Share
    high: Share
    count: Count | None
    positives: Count | None


class ExternalSummary(PartlyHidden):
    """What an evaluate site answered, once, for the chosen round; or all of them pooled.

    site : its name, or `POOLED`.
    tp, fn, tn, fp : scans at `threshold`, positive meaning metastasis.
    threshold_rule : how the threshold came about: ``fixed`` by the settings, or a rule that chose
        it on the pooled validation scans.
    rates : by name: tpr, fnr, tnr, fpr, ppv, npv, accuracy, f1, balanced_accuracy.
    auc_method : how the interval of the AUC was computed, such as ``DeLong``.
    auc_bound : half width of the bracket that pooled score bins leave; None where the AUC is exact.
    auc_bootstrap_ci : stratified bootstrap over the site's scans.
    scores : the bins from which curve, calibration bins and net benefit follow.
    slope, intercept, brier : calibration of the probabilities; not pooled but for Brier.
    artefacts : mean share of a map's sum ``outside-body``, on ``bladder`` and ``injection``.
    refused : refusal code -> described scans that could not be judged any more.
    hidden : the field's name, ``rates.tpr``, ``calibration.3.positives`` (bins from 0),
        ``refused.E_CODE`` or ``subgroup.sex.female.tp``.
    """

    site: str
    round: Annotated[int, Field(ge=0)]
    auc: Share | None
    auc_ci: tuple[Share, Share] | None
    auc_method: str
    auc_bound: Share | None = None
    auc_bootstrap_ci: tuple[Share, Share] | None = None
    tp: Count | None
    fn: Count | None
    tn: Count | None
    fp: Count | None
    threshold: Share
    threshold_rule: str = "fixed"
    rates: dict[str, Rate]
    roc: RocPoints | None
    scores: ScoreTable | None = None
    calibration: list[CalibrationBin] | None
    refused: dict[str, Count] = Field(default_factory=dict)
    slope: Rate | None = None
    intercept: Rate | None = None
    brier: Share | None = None
    decision_curve: list[BenefitPoint] = Field(default_factory=list)
    subgroups: list[SubgroupTable] = Field(default_factory=list)
    agreement: MapAgreement | None = None
    artefacts: dict[str, Share] = Field(default_factory=dict)

    def cells(self) -> Mapping[str, object]:
        """Name the AUC, the four counts, the rates, the curve and the calibration bins."""
        whole = ["auc", "auc_ci", "auc_bootstrap_ci", "tp", "fn", "tn", "fp", "roc", "calibration"]
        whole += ["scores", "slope", "intercept", "brier", "agreement"]
        cells = {name: getattr(self, name) for name in whole}
        cells |= {f"rates.{name}": rate.value for name, rate in self.rates.items()}
        cells |= {f"refused.{code}": count for code, count in self.refused.items()}
        for index, bin_ in enumerate(self.calibration or ()):
            cells[f"calibration.{index}.count"] = bin_.count
            cells[f"calibration.{index}.positives"] = bin_.positives
        for group in self.subgroups:
            prefix = f"subgroup.{group.variable}.{group.level}"
            cells |= {f"{prefix}.{name}": getattr(group, name) for name in ("tp", "fn", "tn", "fp")}
        return cells

    def _may_be_absent(self, name: str) -> bool:
        return name.startswith(("rates.", "artefacts.", "refused."))


class Summary(Value):
    """The result of one study.

    synthetic : whether any site's scans are phantoms; no clinical claim may then be made.
    differences : where the study departs from the paper's profile, one line each.
    chosen_by : the pooled validation figure that fixed `best_round`.
    external : the evaluate site's answer, or those of several pooled; `external_sites` has each.
    comparison : the model beside others on the same scans, where the study trained such.
    weights_sha256 : of the best round.
    audit : what passed between coordinator and sites; None where no log was kept.
    outcome : ``waiting_for_external`` where the model is trained and chosen, and the evaluate site
        has not judged it yet; the study goes on from there when it is run again.
    notes : what happened on the way that a reader should know, each with its time in UTC.
    absent : sites that were enrolled and never said what they have.
    readers : each finished reader study that was asked for, as group figures.
    """

    schema_version: Literal[1] = 1
    study: str
    settings: StudySettings
    settings_sha256: Sha256
    synthetic: bool
    started: UtcTime
    finished: UtcTime
    differences: list[str]
    sites: list[SiteSummary]
    rounds: list[RoundSummary]
    best_round: int | None
    chosen_by: Literal["pooled_auc", "validation_loss"]
    external: ExternalSummary | None
    external_sites: list[ExternalSummary] = Field(default_factory=list)
    comparison: Comparison | None = None
    versions: dict[str, str]
    weights_sha256: Sha256 | None
    audit: AuditSummary | None = None
    outcome: Literal["finished", "waiting_for_external"] = "finished"
    notes: list[str] = Field(default_factory=list)
    absent: list[str] = Field(default_factory=list)
    readers: list[ReadersSummary] = Field(default_factory=list)

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        names = {site.name for site in self.sites} | set(self.absent)
        named = {reply.name for entry in self.rounds for reply in entry.sites}
        if self.audit is not None:
            named |= {traffic.site for traffic in self.audit.traffic}
        named |= {result.site for result in self.external_sites}
        named |= {study.site for study in self.readers}
        if self.external is not None and self.external.site != POOLED:
            named.add(self.external.site)
        if named - names:
            raise ValueError(f"not among the sites: {', '.join(sorted(named - names))}")
        return self

    @model_validator(mode="after")
    def _best_round_has_its_weights(self) -> Self:
        weights = {entry.round: entry.weights_sha256 for entry in self.rounds}
        if self.best_round is not None and self.best_round not in weights:
            raise ValueError(f"best_round {self.best_round} is not among the rounds")
        expected = None if self.best_round is None else weights[self.best_round]
        if self.weights_sha256 != expected:
            raise ValueError("weights_sha256 is not that of the best round")
        return self

    @property
    def threshold(self) -> float:
        """Probability from which a scan is called, as applied or, without a judge, as chosen."""
        if self.external is not None:
            return self.external.threshold
        chosen = (entry.threshold for entry in self.rounds if entry.round == self.best_round)
        return next(chosen, None) or self.settings.threshold


def write_summary(path: Path, summary: Summary) -> None:
    """Write `summary` as JSON, whole or not at all; raises OSError as the system gives it."""
    write_atomic(path, summary.model_dump_json(indent=2).encode() + b"\n")


def read_summary(path: Path) -> Summary:
    """Read what `write_summary` wrote; raises ConfigError naming everything that is wrong."""
    try:
        return Summary.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ConfigError(
            f"{path.name}: cannot be read ({type(error).__name__})",
            remedy="bs-server run STUDY_DIR writes it when the study has ended.",
        ) from error
    except ValidationError as error:
        lines = (f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ConfigError(
            f"{path.name} is not a study summary of version 1: {'; '.join(lines)}",
            remedy="Let the coordinator write it again; it is not made to be edited by hand.",
        ) from error
