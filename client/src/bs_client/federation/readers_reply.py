"""Answering the coordinator's one question about a reader study, from what its analysis left."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from bs_client.config import SiteFolder
from bs_client.reader.aggregates import Aggregates, each_reader_left_out
from bs_client.reader.site_report import AGGREGATES
from bs_common.contract import MODEL_FIGURES, READER_CASES, MessageType
from bs_common.errors import EgressRefused
from bs_common.joining import read_document
from bs_common.messages import Metric, Reply, Request
from bs_common.metrics import Confusion, confusion

_MODEL_TABLE = tuple(name for name in MODEL_FIGURES if name != "auc")


def readers_reply(
    folder: SiteFolder, request: Request, *, single_readers: bool, min_cell: int
) -> Reply:
    """Give the aggregates; the gate hides the small ones afterwards.

    single_readers : whether each reader's figures may be among them.

    Raises
    ------
    EgressRefused
        ``readers_not_finished`` before every reader has ended and the study was analysed,
        ``external_first`` before the external evaluation: what both tell together is looked at.
    ConfigError
        The file of the aggregates was damaged.
    """
    path = folder.readers / AGGREGATES
    if not path.exists():
        raise EgressRefused(
            "readers_not_finished",
            "no reader study of this site has ended and been analysed",
            remedy="When every reader has finished: bs-client reader-study analyse STUDY",
        )
    scores = folder.private / "scores.csv"
    if not scores.exists():
        raise EgressRefused(
            "external_first",
            "the external evaluation has not been made here",
            remedy="It comes first; ask the coordinator to go on with the study.",
        )
    found = read_document(path, Aggregates)
    metrics = found.metrics if single_readers else each_reader_left_out(found.metrics)
    hidden = [
        name
        for name in metrics
        if name.startswith(_of_few_left(metrics, external_table(scores), min_cell))
    ]
    return Reply(
        MessageType.READERS,
        request.round_number,
        {},
        {name: value for name, value in metrics.items() if name not in hidden},
        {"model-device": found.model_device},
        tuple(sorted(hidden)),
    )


def external_table(scores: Path) -> Confusion:
    """Count the external evaluation's calls in the site's own `scores.csv`."""
    with scores.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    called = np.array([row["called_metastasis"] == "1" for row in rows], bool)
    return confusion(called, np.array([row["metastasis"] == "1" for row in rows], bool))


def _of_few_left(
    metrics: Mapping[str, Metric], external: Confusion, min_cell: int
) -> tuple[str, ...]:
    """Name what, taken from the external evaluation's counts, leaves a count below `min_cell`.

    The readers' cases are some of the external scans, so the difference counts those that were not
    drawn; and likewise of the four counts of the model's calls.
    """
    positives, negatives = (metrics[name] for name in READER_CASES)
    assert isinstance(positives, int)  # noqa: S101 (the contract's kind)
    assert isinstance(negatives, int)  # noqa: S101
    left = [external.tp + external.fn - positives, external.tn + external.fp - negatives]
    prefixes: list[str] = list(READER_CASES) if _any_small(left, min_cell) else []
    sensitivity, specificity = metrics.get("model.sensitivity"), metrics.get("model.specificity")
    if isinstance(sensitivity, float) and isinstance(specificity, float):
        tp, tn = round(sensitivity * positives), round(specificity * negatives)
        own = (tp, positives - tp, tn, negatives - tn)
        table = (external.tp, external.fn, external.tn, external.fp)
        left += [whole - part for whole, part in zip(table, own, strict=True)]
    if _any_small(left, min_cell):
        prefixes += [f"model.{figure}" for figure in _MODEL_TABLE]
    return tuple(prefixes)


def _any_small(counts: list[int], min_cell: int) -> bool:
    return any(0 < count < min_cell for count in counts)
