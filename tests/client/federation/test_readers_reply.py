"""The one answer about a reader study: when it is given, and what is not in it."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from bs_client.config import SiteFolder
from bs_client.evaluation.external import write_scores
from bs_client.federation.readers_reply import external_table, readers_reply
from bs_client.federation.small_cells import hide_small_cells
from bs_client.reader.aggregates import Aggregates, aggregate
from bs_client.reader.analysis import compare
from bs_client.reader.arms import Arm
from bs_client.reader.case_key import KeyRow
from bs_client.reader.protocol import Protocol
from bs_common.contract import REPLY_METRICS, MessageType
from bs_common.errors import EgressRefused
from bs_common.messages import Reply, Request, read_reply, write_reply
from bs_common.metrics import Confusion
from bs_common.settings import StudySettings

SETTINGS = StudySettings(name="test", rounds=3)
ASKED = Request(MessageType.READERS, 2)
CASES = tuple(f"C{number:03d}" for number in range(1, 81))
LABELS = np.arange(80) < 40
NAMES = ("R1", "R2", "R3", "R4", "R5", "R6")
PROTOCOL = Protocol(name="trial", seed=1, readers=6, cases_with=40, cases_without=40)


def study_aggregates(**protocol: object) -> Aggregates:
    """Six readers with some ten errors in each class, and a model."""
    draws = np.random.default_rng(3)
    scores = np.clip(50 + 22 * (2 * LABELS - 1) + draws.normal(0, 26, (6, 80)), 0, 100)
    arm = Arm("unaided", NAMES, CASES, LABELS, scores, scores >= 50, np.full((6, 80), 12.0))
    probabilities = 1 / (1 + np.exp(-1.4 * (2 * LABELS - 1) - draws.normal(0, 1.6, 80)))
    key = {
        code: KeyRow(code, f"1.2.{code}", bool(label), False, float(p), 0.5)
        for code, label, p in zip(CASES, LABELS, probabilities, strict=True)
    }
    found = PROTOCOL.model_copy(update=protocol)
    return aggregate(found, compare([arm], key, seed=1), model_time=None)


@pytest.fixture(scope="module")
def aggregates() -> Aggregates:
    return study_aggregates()


def make_site(path: Path, aggregates: Aggregates | None, *, spare: int = 30) -> SiteFolder:
    """A site whose external evaluation had `spare` scans of each class more than the readers."""
    site = SiteFolder(path)
    for folder in (site.private, site.readers):
        folder.mkdir(parents=True)
    labels = np.arange(2 * (40 + spare)) < 40 + spare
    margins = np.where(labels, 1.0, -1.0) * np.where(np.arange(labels.size) % 3, 1, -1)
    write_scores(
        site.private / "scores.csv",
        cases=range(1, labels.size + 1),
        margins=margins,
        labels=labels,
        threshold=0.5,
    )
    if aggregates is not None:
        (site.readers / "aggregates.json").write_text(aggregates.model_dump_json())
    return site


def ask(site: SiteFolder, *, single_readers: bool = False, min_cell: int = 5) -> Reply:
    """Give the reply as it leaves: read against the contract, small counts hidden."""
    reply = readers_reply(site, ASKED, single_readers=single_readers, min_cell=min_cell)
    safe = hide_small_cells(read_back(reply), min_cell)
    return read_back(safe)


def read_back(reply: Reply) -> Reply:
    return read_reply(reply.message_type, write_reply(reply, SETTINGS), SETTINGS)


def test_before_the_end_there_is_no_answer(tmp_path: Path) -> None:
    with pytest.raises(EgressRefused) as refused:
        ask(make_site(tmp_path, None))

    assert refused.value.reason == "readers_not_finished"


def test_the_external_evaluation_comes_first(tmp_path: Path, aggregates: Aggregates) -> None:
    site = make_site(tmp_path, aggregates)
    (site.private / "scores.csv").unlink()

    with pytest.raises(EgressRefused) as refused:
        ask(site)

    assert refused.value.reason == "external_first"


def test_the_answer_is_group_figures_and_no_reader_study_or_case_is_named(
    tmp_path: Path, aggregates: Aggregates
) -> None:
    reply = ask(make_site(tmp_path, aggregates))

    assert reply.metrics["readers"] == 6
    assert set(reply.metrics) <= set(REPLY_METRICS[MessageType.READERS])
    assert not [name for name in reply.metrics if "each-reader" in name]
    assert all(isinstance(value, int | float) for value in reply.metrics.values())
    text = json.dumps([dict(reply.metrics), dict(reply.texts), reply.hidden])
    assert not [word for word in (*NAMES, *CASES, "trial") if f'"{word}"' in text]


def test_single_readers_figures_leave_where_the_site_says_so(
    tmp_path: Path, aggregates: Aggregates
) -> None:
    reply = ask(make_site(tmp_path, aggregates), single_readers=True)

    each = reply.metrics["unaided.each-reader.auc"]
    assert isinstance(each, list)
    assert len(each) == 6
    assert np.median(each) == pytest.approx(reply.metrics["unaided.auc.median"])


def test_what_leaves_are_the_comparisons_own_figures(
    tmp_path: Path, aggregates: Aggregates
) -> None:
    reply = ask(make_site(tmp_path, aggregates), min_cell=1)

    low, high = (reply.metrics[f"readers-minus-model{end}"] for end in ("-low", "-high"))
    middle = reply.metrics["readers-minus-model"]
    assert low < middle < high  # type: ignore[operator]
    mean, model = reply.metrics["unaided.mean-auc"], reply.metrics["model.auc"]
    assert middle == pytest.approx(mean - model)  # type: ignore[operator]
    assert reply.metrics["unaided.minutes"] == pytest.approx(6 * 80 * 12 / 60)


@pytest.mark.parametrize(("spare", "hidden"), [(0, False), (3, True), (30, False)])
def test_counts_are_hidden_that_would_leave_a_few_undrawn_scans_by_subtraction(
    tmp_path: Path, aggregates: Aggregates, spare: int, hidden: bool
) -> None:
    reply = ask(make_site(tmp_path, aggregates, spare=spare))

    assert ("cases.metastasis" in reply.hidden) is hidden


def test_the_models_calls_are_hidden_where_few_of_the_external_ones_are_left(
    tmp_path: Path, aggregates: Aggregates
) -> None:
    site = make_site(tmp_path, aggregates)
    told = ask(site).metrics
    tp = round(told["model.sensitivity"] * 40)  # type: ignore[arg-type]
    rows = list(csv.DictReader((site.private / "scores.csv").open()))
    positive = [row for row in rows if row["metastasis"] == "1"]
    for number, row in enumerate(positive):
        row["called_metastasis"] = str(int(number < tp + 3))  # three of those not drawn
    with (site.private / "scores.csv").open("w") as file:
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows(rows)

    reply = ask(site)

    hidden = {name for name in reply.hidden if name.startswith("model.")}
    assert {"model.sensitivity", "model.specificity", "model.f1"} <= hidden
    assert "model.auc" in reply.metrics


def test_the_external_table_is_that_of_the_sites_scores(tmp_path: Path) -> None:
    site = make_site(tmp_path, None)

    table = external_table(site.private / "scores.csv")

    assert dataclasses.astuple(table) == dataclasses.astuple(Confusion(tp=46, fn=24, tn=47, fp=23))
