"""`metrics.json`: every measure of a study under one flat name, for dashboards and notebooks.

`summary.json` is the record of a study: nested, complete, read again by this program. This file is
made from it, holds measures alone, each in one form, and is never read back. Both give the same
numbers; whoever wants settings, digests or curves takes the record.
"""

from __future__ import annotations

import json
from typing import Annotated, Literal

from pydantic import Field

from bs_server.export.measures import Measure, measures_of
from bs_server.results.external_values import Value
from bs_server.results.summary import Sha256, Summary, UtcTime

SCHEMA_ID = "urn:bone-scan:metrics:1"  # a new number wherever a reader would break


Name = Annotated[str, Field(pattern=r"^(cohort|validation|external)(\.[a-z0-9_\-]+)+$")]


class Metrics(Value):
    """All measures of one study.

    measures : by name, such as ``external.namur.auc``, ``external.pooled.sensitivity``,
        ``external.namur.subgroup.sex.female.specificity``, ``external.namur.map.model.energy``,
        ``validation.round-3.auc`` or ``cohort.aachen.train.metastasis``.
    """

    schema_version: Literal[1] = 1
    study: str
    synthetic: bool
    finished: UtcTime
    summary_sha256: Sha256
    measures: Annotated[
        dict[Name, Measure], Field(json_schema_extra={"additionalProperties": False})
    ]


def metrics_json(metrics: Metrics) -> bytes:
    """Give the file's content."""
    return metrics.model_dump_json(indent=2).encode() + b"\n"


def metrics_schema() -> bytes:
    """Give the JSON Schema (draft 2020-12) that every `metrics.json` of this version fits."""
    schema = Metrics.model_json_schema(mode="serialization")
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return json.dumps({"$schema": dialect, "$id": SCHEMA_ID, **schema}, indent=2).encode() + b"\n"


def collect_metrics(summary: Summary, *, summary_sha256: str) -> Metrics:
    """Name every measure of a study; `summary_sha256` is that of its `summary.json`."""
    return Metrics(
        study=summary.study,
        synthetic=summary.synthetic,
        finished=summary.finished,
        summary_sha256=summary_sha256,
        measures=measures_of(summary),
    )
