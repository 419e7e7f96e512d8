"""What a released model says of itself: how it was made, how it did, what it needs to run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from bs_common.settings import Name, Role, StudySettings

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
UtcTime = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)$")]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
Word = Annotated[str, Field(max_length=64)]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


class Figure(_Value):
    """A figure with its 95 % interval; None where it is hidden or was never defined."""

    value: float | None
    low: float | None = None
    high: float | None = None


class ValidationMetrics(_Value):
    """How the released round did on the training sites' validation scans, pooled.

    auc_bound : half width of the bracket that the sites' histograms leave for the AUC.
    """

    auc: Share | None
    auc_bound: Share | None
    loss: float | None
    examples: Count | None


class ExternalMetrics(_Value):
    """How it did at the site that never trained; counts below the site's limit are None.

    rates : by name: tpr, fnr, tnr, fpr, ppv, npv, accuracy, f1.
    """

    site: Name
    auc: Figure
    auc_method: Word
    tp: Count | None
    fn: Count | None
    tn: Count | None
    fp: Count | None
    rates: Mapping[Word, Figure]


class ContributingSite(_Value):
    """One site of the study and the key it was known by."""

    name: Name
    role: Role
    key_sha256: Sha256


class Lineage(_Value):
    """Where the weights come from.

    round : the released one, of `rounds` finished; chosen by the named pooled validation figure.
    summary_sha256 : of the study's summary.json, byte for byte.
    """

    sites: tuple[ContributingSite, ...] = Field(strict=False)
    rounds: Count
    round: Count
    chosen_by: Literal["pooled_auc", "validation_loss"]
    summary_sha256: Sha256


class ReleasedModel(_Value):
    """Everything a user of the model must know; it is signed as part of the manifest.

    backbone_sha256 : digest of the convolutions the study started from; those that are not among
        the weights must be had where the model runs, and fit this digest.
    threshold : calls a scan metastasis at or above this probability.
    synthetic : whether it was trained or tested on phantoms; no clinical claim can then be made.
    weights_sha256 : digest of the arrays, the same as in the study's summary.
    created : when the study finished, UTC.
    """

    study: Name
    settings: StudySettings
    settings_sha256: Sha256
    backbone_sha256: Sha256
    threshold: Annotated[float, Field(gt=0, lt=1)]
    validation: ValidationMetrics
    external: ExternalMetrics | None
    lineage: Lineage
    synthetic: bool
    weights_sha256: Sha256
    software: Mapping[Word, Word]
    created: UtcTime

    @model_validator(mode="after")
    def _settings_are_those_agreed_on(self) -> Self:
        if self.settings.digest() != self.settings_sha256 or self.settings.name != self.study:
            raise ValueError("settings_sha256 or study is not that of the settings")
        return self


class Manifest(_Value):
    """What is signed: the model's description and the SHA-256 of every other member."""

    format_version: Literal[1] = 1
    members: Mapping[Word, Sha256]
    model: ReleasedModel

    def to_bytes(self) -> bytes:
        """Give the manifest as it is signed and stored."""
        return (self.model_dump_json(indent=2) + "\n").encode()
