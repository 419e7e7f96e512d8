"""The one external evaluation: asked once, turned into its place in the summary."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flwr.app import Message

from bs_common.architecture import initial_head
from bs_common.contract import MessageType
from bs_common.errors import ReplyRefused, StudyStopped
from bs_common.messages import Metric, Reply
from bs_common.settings import StudySettings
from bs_server.config import StudyFolder
from bs_server.evaluation.external import ask_once, summarise_external
from bs_server.evaluation.question import Question
from bs_server.federation.exchange import Exchange
from bs_server.results.summary import ExternalSummary
from support.fake_site import FakeLink, FakeWork, fake_app

SETTINGS = StudySettings(name="test", backbone="random:1", trainable="head", rounds=3)
ARRAYS = initial_head(0)


def paper_reply(
    *, hide: tuple[str, ...] = (), roc: dict[str, list[int]] | None = None, **changes: Metric
) -> Reply:
    """PAPER's external result, which has 411 scans with and 587 without metastasis."""
    metrics: dict[str, Any] = {"tp": 338, "fn": 73, "tn": 472, "fp": 115, "overlays": 453}
    metrics |= {"auc": 0.897, "auc-low": 0.877, "auc-high": 0.917}
    metrics |= {"histogram.metastasis": [73, 338], "histogram.no_metastasis": [472, 115]}
    metrics |= {"histogram.edges": [25], "brier": 0.13}
    metrics |= changes | {f"histogram.{label}": cells for label, cells in (roc or {}).items()}
    kept = {name: value for name, value in metrics.items() if name not in hide}
    return Reply(
        MessageType.EXTERNAL, 5, {}, kept, {"weights-sha256": "0" * 64, "compared-sha256": ""}, hide
    )


CONFUSION = ("tp", "fn", "tn", "fp", "overlays")
RATES = {"tpr", "fnr", "tnr", "fpr", "ppv", "npv", "accuracy", "f1", "balanced_accuracy"}
ASKED = Question(5, ARRAYS, None, SETTINGS)


def test_the_rates_are_those_the_paper_prints() -> None:
    summary = summarise_external("namur", paper_reply(), ASKED)

    rates = {name: round(100 * (rate.value or 0), 2) for name, rate in summary.rates.items()}
    printed = {"tpr": 82.24, "fnr": 17.76, "tnr": 80.41, "fpr": 19.59}
    assert {name: rates[name] for name in printed} == printed
    assert rates["f1"] == 78.24
    assert set(rates) == RATES
    # The paper prints TPR 82.2, FNR 17.79, TNR 80.45 and FPR 19.55 %: no whole cases give all.
    stated = {"tpr": 82.2, "fnr": 17.79, "tnr": 80.45, "fpr": 19.55}
    assert all(abs(rates[name] - value) <= 0.05 for name, value in stated.items())


def test_each_rate_lies_in_its_interval() -> None:
    rates = summarise_external("namur", paper_reply(), ASKED).rates

    for rate in rates.values():
        assert rate.low is not None
        assert rate.value is not None
        assert rate.high is not None
        assert 0 < rate.low < rate.value < rate.high < 1


def test_the_curve_goes_through_the_working_point() -> None:
    summary = summarise_external("namur", paper_reply(), ASKED)

    assert summary.roc is not None
    np.testing.assert_allclose(summary.roc.fpr, [0, 115 / 587, 1])
    np.testing.assert_allclose(summary.roc.tpr, [0, 338 / 411, 1])


def test_hidden_counts_become_null_with_their_reason_and_no_rate_is_left() -> None:
    summary = summarise_external("namur", paper_reply(hide=CONFUSION[:4]), ASKED)

    assert (summary.tp, summary.fn, summary.tn, summary.fp) == (None, None, None, None)
    assert all(rate.value is None for rate in summary.rates.values())
    hidden = {"tp", "fn", "tn", "fp", *(f"rates.{name}" for name in RATES)}
    assert summary.hidden == dict.fromkeys(hidden, "small_cell")
    assert summary.auc == 0.897


def test_a_hidden_curve_and_area_become_null_under_their_names_in_the_summary() -> None:
    names = (
        *("auc", "auc-low", "auc-high", "brier"),
        *("histogram.metastasis", "histogram.no_metastasis", "histogram.edges"),
    )

    summary = summarise_external("namur", paper_reply(hide=names), ASKED)

    assert (summary.auc, summary.auc_ci, summary.roc) == (None, None, None)
    assert set(summary.hidden) == {"auc", "auc_ci", "brier", "roc", "scores", "calibration"}
    assert summary.tp == 338


def test_the_overlays_hidden_with_the_table_have_no_place_in_the_summary() -> None:
    summary = summarise_external("namur", paper_reply(hide=CONFUSION), ASKED)

    assert summary.tp is None


def test_scans_that_could_not_be_judged_any_more_are_counted_by_code() -> None:
    reply = paper_reply()
    reply = replace(reply, metrics={**reply.metrics, "refused.E_VANISHED": 7})

    summary = summarise_external("namur", reply, ASKED)

    assert summary.refused == {"E_VANISHED": 7}


def test_a_small_number_of_scans_not_judged_is_hidden_under_its_code() -> None:
    summary = summarise_external("namur", paper_reply(hide=("refused.E_VANISHED",)), ASKED)

    assert summary.refused == {}
    assert summary.hidden == {"refused.E_VANISHED": "small_cell"}


def test_a_rate_of_nobody_is_empty_and_not_called_hidden() -> None:
    reply = paper_reply(tp=0, fn=411, fp=0, tn=587, overlays=0)

    summary = summarise_external("namur", reply, ASKED)

    assert summary.rates["ppv"].value is None
    assert "rates.ppv" not in summary.hidden
    assert summary.rates["npv"].value == pytest.approx(587 / 998)


def test_cells_of_different_lengths_are_refused() -> None:
    with pytest.raises(ReplyRefused) as refused:
        summarise_external("namur", paper_reply(roc={"metastasis": [100, 100, 211]}), ASKED)
    assert refused.value.reason == "length"


def asked(
    folder: Path, link: FakeLink, *sites: str, chosen: float | None = None
) -> list[ExternalSummary]:
    return ask_once(
        StudyFolder(folder),
        Exchange(link, SETTINGS, deadline_s=0.2),
        sites,
        question=Question(2, ARRAYS, chosen, SETTINGS),
    )


def make_link(folder: Path) -> FakeLink:
    return FakeLink({"namur": fake_app(FakeWork("namur", SETTINGS), "evaluate", folder)})


def test_the_judging_site_is_asked_once_and_never_again(tmp_path: Path) -> None:
    link = make_link(tmp_path)

    first = asked(tmp_path, link, "namur")
    again = asked(tmp_path, link, "namur")

    assert link.sent == [("namur", "query.external")]
    assert again == first
    assert [(one.site, one.round, one.tp) for one in first] == [("namur", 2, 7)]


def test_a_study_without_a_judging_site_has_no_external_result(tmp_path: Path) -> None:
    link = make_link(tmp_path)

    assert asked(tmp_path, link) == []
    assert link.sent == []


def two_links(folder: Path) -> FakeLink:
    names = ("ghent", "namur")
    return FakeLink({n: fake_app(FakeWork(n, SETTINGS), "evaluate", folder) for n in names})


def test_two_judging_sites_are_asked_in_one_round(tmp_path: Path) -> None:
    link = two_links(tmp_path)

    answers = asked(tmp_path, link, "namur", "ghent")

    assert [one.site for one in answers] == ["ghent", "namur"]
    assert sorted(link.sent) == [("ghent", "query.external"), ("namur", "query.external")]


def test_a_site_that_has_answered_is_not_asked_again_for_the_sake_of_another(
    tmp_path: Path,
) -> None:
    link = two_links(tmp_path)
    link.change = lambda site, reply: reply if site == "namur" else None
    with pytest.raises(StudyStopped, match=r"ghent \(deadline\)"):
        asked(tmp_path, link, "ghent", "namur")
    link.change = lambda _site, reply: reply
    link.sent.clear()

    answers = asked(tmp_path, link, "ghent", "namur")

    assert link.sent == [("ghent", "query.external")]
    assert [one.site for one in answers] == ["ghent", "namur"]


def test_the_sites_judge_at_the_threshold_chosen_on_validation(tmp_path: Path) -> None:
    work = FakeWork("namur", SETTINGS)
    link = FakeLink({"namur": fake_app(work, "evaluate", tmp_path)})

    (answer,) = asked(tmp_path, link, "namur", chosen=0.7)

    assert work.seen[-1].numbers == {"threshold": 0.7}
    assert answer.threshold == 0.7


def test_no_answer_stops_with_its_reason_and_leaves_the_question_open(tmp_path: Path) -> None:
    link = make_link(tmp_path)
    link.change = lambda _site, _reply: None

    with pytest.raises(StudyStopped, match=r"namur \(deadline\)"):
        asked(tmp_path, link, "namur")
    link.change = lambda _site, reply: reply
    assert [one.site for one in asked(tmp_path, link, "namur")] == ["namur"]


def test_a_judgement_of_other_weights_is_refused(tmp_path: Path) -> None:
    link = make_link(tmp_path)

    def other(_site: str, reply: Message) -> Message:
        reply.content.config_records["config"]["weights-sha256"] = "0" * 64
        return reply

    link.change = other

    with pytest.raises(StudyStopped, match=r"namur \(other_weights\)"):
        asked(tmp_path, link, "namur")
    link.change = lambda _site, reply: reply
    assert [one.site for one in asked(tmp_path, link, "namur")] == ["namur"]
