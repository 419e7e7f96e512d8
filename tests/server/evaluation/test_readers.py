"""Asking for finished reader studies: once each, and what becomes of the answer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bs_common.contract import MessageType
from bs_common.messages import Reply
from bs_server.config import StudyFolder
from bs_server.evaluation.readers import ask_for_readers, summarise_readers, told_of_readers
from bs_server.federation.exchange import Exchange, wait_for_all
from support.fake_site import READERS, FakeLink, FakeWork, fake_app
from support.fake_study import SETTINGS, make_fake_study

SITES = ("namur", "ghent")


class Asked:
    """A coordinator's folder and two evaluate sites as function calls."""

    def __init__(self, path: Path) -> None:
        self.folder = StudyFolder(path)
        self.works = {name: FakeWork(name, SETTINGS) for name in SITES}
        apps = {name: fake_app(work, "evaluate", path) for name, work in self.works.items()}
        self.link = FakeLink(apps)

    def ask(self) -> dict[str, str]:
        exchange = Exchange(self.link, SETTINGS, deadline_s=1)
        return ask_for_readers(
            self.folder, exchange, SITES, round_number=2, patience=wait_for_all(1)
        )


def reply(**changes: object) -> Reply:
    metrics = {**READERS, **changes}
    texts = {"model-device": "cpu (2 threads)"}
    return Reply(MessageType.READERS, 2, {}, metrics, texts)  # type: ignore[arg-type]


def test_an_answer_is_kept_and_its_site_is_not_asked_again(tmp_path: Path) -> None:
    asked = Asked(tmp_path)

    assert asked.ask() == {}
    assert asked.ask() == {}

    assert sorted(asked.link.sent) == [("ghent", "query.readers"), ("namur", "query.readers")]
    assert list(told_of_readers(asked.folder)) == ["ghent", "namur"]


def test_a_site_whose_readers_still_read_says_so_and_is_asked_again_later(tmp_path: Path) -> None:
    asked = Asked(tmp_path)
    asked.works["namur"].reader_metrics = None

    first = asked.ask()
    asked.works["namur"].reader_metrics = READERS
    second = asked.ask()

    assert first == {"namur": "readers_not_finished"}
    assert second == {}
    assert [site for site, _ in asked.link.sent] == ["namur", "ghent", "namur"]


def test_figures_stand_in_the_summary_under_their_names() -> None:
    found = summarise_readers("namur", reply())

    assert (found.readers, found.metastasis, found.no_metastasis) == (6, 67, 67)
    (arm,) = found.arms
    assert arm.auc is not None
    assert (arm.auc.lower_quartile, arm.auc.median) == (0.85, 0.9)
    assert arm.minutes == 180.0
    assert arm.each_reader == []
    assert found.model is not None
    assert (found.model.auc and found.model.auc.high, found.model.f1) == (0.99, None)
    test = found.readers_minus_model
    assert test is not None
    assert (test.estimate.value, test.f, test.df, test.p) == (-0.05, 4.0, 9.5, 0.05)


def test_what_is_hidden_is_null_with_its_reason() -> None:
    names = ("cases.metastasis", "unaided.auc.median")
    kept = {name: value for name, value in READERS.items() if name not in names}

    found = summarise_readers("namur", replace(reply(), metrics=kept, hidden=names))

    assert found.metastasis is None
    assert found.arms[0].auc is None
    assert found.hidden == dict.fromkeys(names, "small_cell")


def test_single_readers_have_numbers_where_the_site_lets_them_out() -> None:
    each = {"unaided.each-reader.auc": [0.8, 0.85, 0.9, 0.91, 0.92, 0.95]}

    found = summarise_readers("namur", reply(**each))

    numbers = [(one.number, one.auc, one.sensitivity) for one in found.arms[0].each_reader]
    assert numbers[0] == (1, 0.8, None)
    assert len(numbers) == 6


@pytest.mark.parametrize("count", [5, 7])
def test_a_list_that_is_not_one_number_a_reader_is_left_out(count: int) -> None:
    found = summarise_readers("namur", reply(**{"unaided.each-reader.auc": [0.9] * count}))

    assert found.arms[0].each_reader == []


def test_a_study_that_is_run_again_keeps_what_was_told_of_readers(tmp_path: Path) -> None:
    study = make_fake_study(tmp_path / "study", seconds=5)
    assert study.run().readers == []
    exchange = Exchange(study.link, SETTINGS, deadline_s=1)
    ask_for_readers(
        study.study.folder, exchange, ("namur",), round_number=2, patience=wait_for_all(1)
    )

    again = study.run()

    assert [one.site for one in again.readers] == ["namur"]
