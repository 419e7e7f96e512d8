"""Where a study stands, kept from its events."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from bs_common.errors import StorageFailed
from bs_server.config import StudyFolder
from bs_server.oversight import standing as module
from bs_server.oversight.standing import SiteStanding, Standing, StandingKeeper
from bs_server.storage.documents import read_state
from support.fake_site import TIME

ROUND = {
    "round": 1,
    "rounds": 3,
    "pooled_auc": 0.75,
    "validation_loss": 0.5,
    "seconds": 2.5,
    "without": {"aalborg": "away"},
}
REFUSAL = {
    "round": 1,
    "name": "aachen",
    "message": "train",
    "attempt": 1,
    "reason": "update_norm",
}


class Desk:
    """A keeper with clocks that a test turns."""

    def __init__(self, path: Path) -> None:
        self.seconds = 0.0
        self.folder = StudyFolder(path)
        self.keeper = StandingKeeper(
            self.folder,
            study="bones",
            rounds=3,
            roles={"aachen": "train", "aalborg": "train"},
            clock=lambda: TIME + datetime.timedelta(seconds=self.seconds),
            monotonic=lambda: self.seconds,
        )

    def site(self, name: str) -> SiteStanding:
        return next(site for site in self.keeper.standing.sites if site.name == name)

    def on_disk(self) -> Standing:
        return read_state(self.folder.standing, Standing)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_before_anything_happens_every_site_is_away(desk: Desk) -> None:
    desk.keeper.beat()

    assert [site.state for site in desk.on_disk().sites] == ["away", "away"]
    assert desk.on_disk().phase == "waiting for sites"


def test_a_site_goes_through_its_states(desk: Desk) -> None:
    question = {"site": "aachen", "message": "train", "round": 1}
    states = []
    for event, facts in (
        ("back", {"site": "aachen"}),
        ("asked", question),
        ("answered", question | {"reason": None}),
        ("asked", question),
        ("answered", question | {"reason": "internal"}),
        ("away", {"site": "aachen"}),
    ):
        desk.keeper(event, **facts)
        states.append(desk.site("aachen").state)

    assert states == ["connected", "asked", "answered", "asked", "refused", "away"]
    assert desk.site("aachen").reason == "internal"


def test_a_site_that_is_asked_while_away_stays_away(desk: Desk) -> None:
    desk.keeper("asked", site="aachen", message="train", round=1)

    assert desk.site("aachen").state == "away"
    assert desk.site("aachen").message == "train"


def test_progress_is_shown_until_the_next_thing_happens(desk: Desk) -> None:
    desk.keeper("back", site="aachen")
    desk.keeper("asked", site="aachen", message="train", round=1)
    desk.keeper("progress", site="aachen", phase="training", progress=0.4)
    assert (desk.site("aachen").phase, desk.site("aachen").progress) == ("training", 0.4)

    desk.keeper("answered", site="aachen", message="train", round=1, reason=None)
    assert desk.site("aachen").progress is None


def test_a_screened_refusal_is_counted_and_listed(desk: Desk) -> None:
    desk.keeper("back", site="aachen")
    desk.keeper("answered", site="aachen", message="train", round=1, reason=None)
    desk.keeper("refused", **REFUSAL)

    assert desk.site("aachen").state == "refused"
    assert desk.site("aachen").refusals == 1
    assert desk.keeper.standing.refusals[0].reason == "update_norm"


def test_finished_rounds_are_listed_with_those_left_out_and_the_list_stays_short(
    desk: Desk,
) -> None:
    for number in range(30):
        desk.keeper("round", **ROUND | {"round": number})

    rows = desk.keeper.standing.finished_rounds
    assert [row.round for row in rows] == list(range(20, 30))
    assert rows[-1].without == {"aalborg": "away"}


def test_a_present_sites_last_seen_moves_on(desk: Desk) -> None:
    desk.keeper("back", site="aachen")
    desk.seconds = 50
    desk.keeper.beat()

    assert desk.on_disk().sites[0].last_seen == TIME + datetime.timedelta(seconds=50)


def test_it_is_written_when_something_happened_and_otherwise_seldom(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[float] = []
    monkeypatch.setattr(module, "write_state", lambda *_: written.append(desk.seconds))
    for step in range(2500):
        desk.seconds = step / 100
        if step == 300:
            desk.keeper("back", site="aachen")
        desk.keeper.beat()

    assert written == [0.0, 3.0, 13.0, 23.0]


def test_the_end_is_written_at_once(desk: Desk) -> None:
    desk.keeper("stopped", reason="Round 1 ...", remedy="Mend it.")

    assert (desk.on_disk().phase, desk.on_disk().reason) == ("stopped", "Round 1 ...")
    assert desk.on_disk().remedy == "Mend it."


def test_a_full_disk_does_not_stop_the_study(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise StorageFailed("full", number=28)

    monkeypatch.setattr(module, "write_state", full)

    desk.keeper.beat()


def test_a_run_that_no_longer_looks_around_is_not_well(desk: Desk) -> None:
    desk.keeper.beat()
    assert desk.keeper.is_well()

    desk.seconds += 1000
    assert not desk.keeper.is_well()


def test_free_room_on_the_disk_is_told(desk: Desk) -> None:
    desk.keeper.beat()

    assert (desk.on_disk().disk_free_bytes or 0) > 0
