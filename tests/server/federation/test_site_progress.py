"""Asking sites at work how far they are, beside the question that they work on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bs_common.contract import Phase
from bs_common.settings import StudySettings
from bs_server.federation.site_progress import SiteProgress
from support.fake_site import FakeLink, FakeWork, fake_app

SETTINGS = StudySettings(name="test", backbone="random:1", trainable="head", rounds=3)


class Watched:
    """Sites at work, a clock, and what was told."""

    def __init__(self, folder: Path) -> None:
        self.works = {name: FakeWork(name, SETTINGS) for name in ("aachen", "aalborg")}
        self.link = FakeLink({n: fake_app(w, "train", folder) for n, w in self.works.items()})
        self.now = 0.0
        self.told: list[dict[str, Any]] = []
        self.progress = SiteProgress(
            self.link, SETTINGS, self.tell, every_s=60, clock=lambda: self.now
        )

    def tell(self, event: str, **facts: object) -> None:
        assert event == "progress"
        self.told.append(facts)

    def look(self, at_s: float, *sites: str) -> None:
        self.now = at_s
        self.progress.look(sites, 2)


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


def test_a_site_that_works_for_long_says_how_far_it_is(watched: Watched) -> None:
    watched.works["aachen"].activity.steps(Phase.TRAINING, "steps")(70, 100)

    watched.look(61, "aachen")
    watched.look(62, "aachen")

    assert watched.told == [{"site": "aachen", "phase": "training", "progress": 0.7}]


def test_short_work_is_not_asked_about(watched: Watched) -> None:
    for second in range(60):
        watched.look(second, "aachen")

    assert watched.link.sent == []


def test_a_site_is_asked_once_a_minute_and_only_while_it_is_waited_for(watched: Watched) -> None:
    for second in range(200):
        watched.look(second, "aachen")

    assert watched.link.sent == [("aachen", "query.progress")] * 3


def test_a_site_that_does_not_say_is_not_waited_for(watched: Watched) -> None:
    watched.link.change = lambda site, reply: None if site == "aachen" else reply

    watched.look(61, "aachen", "aalborg")
    watched.look(122, "aachen", "aalborg")
    watched.look(123, "aachen", "aalborg")

    assert [facts["site"] for facts in watched.told] == ["aalborg", "aalborg"]
