"""What an evaluate site told of a finished reader study: groups, never a person or a case."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from bs_server.results.external_values import Count, Rate, Share, Value

Positive = Annotated[float, Field(ge=0)]


class Spread(Value):
    """Median and quartiles, over readers or over their readings."""

    median: float
    lower_quartile: float
    upper_quartile: float


class OneReader(Value):
    """One reader by number, where the site lets these figures out; None where hidden."""

    number: Annotated[int, Field(ge=1)]
    auc: Share | None
    sensitivity: Share | None
    specificity: Share | None


class ReaderArm(Value):
    """One way of reading: unaided, aided, or one of two sessions.

    mean_auc : over readers, for other readers and other cases.
    seconds : active time a case; `minutes` of all readers together.
    each_reader : empty unless the site lets single readers' figures out.
    """

    name: str
    auc: Spread | None
    sensitivity: Spread | None
    specificity: Spread | None
    f1: Spread | None
    mean_auc: Rate | None
    fleiss_kappa: Rate | None
    krippendorff_alpha: Rate | None
    seconds: Spread | None
    minutes: Positive | None
    each_reader: list[OneReader] = Field(default_factory=list)


class ModelOnCases(Value):
    """The model on the readers' cases.

    seconds_alone, seconds_in_batch : for a scan, from the network's input on, on `device`.
    """

    auc: Rate | None
    sensitivity: Rate | None
    specificity: Rate | None
    f1: Rate | None
    seconds_alone: Positive | None
    seconds_in_batch: Positive | None
    device: str


class AucDifference(Value):
    """A difference of two AUCs with readers and cases random (Obuchowski and Rockette).

    f, df : F with 1 and `df` degrees of freedom; None where it is not defined.
    """

    estimate: Rate
    f: Positive | None
    df: Positive | None
    p: Share | None


class ReadersSummary(Value):
    """A site's finished reader study.

    metastasis, no_metastasis : cases that every reader read.
    readers_minus_model, second_minus_first : None where there is no model, or one arm.
    hidden : name of a figure as the contract names it -> why it did not leave.
    """

    site: str
    readers: Annotated[int, Field(ge=1)]
    synthetic: bool
    metastasis: Count | None
    no_metastasis: Count | None
    arms: list[ReaderArm]
    model: ModelOnCases | None
    readers_minus_model: AucDifference | None
    second_minus_first: AucDifference | None
    hidden: dict[str, str] = Field(default_factory=dict)
