"""Whole studies in which something goes wrong, with sites that are function calls."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from flwr.app import Error, Message

from bs_common.errors import StorageFailed, StudyStopped, TrustError
from bs_server.config import Quorum
from bs_server.evaluation.external import ExternalMissing
from bs_server.federation.exchange import Patience, silent
from bs_server.oversight.control import StopRequested, Wish, write_wish
from bs_server.study import StudyRun
from support.fake_site import TIME
from support.fake_study import SETTINGS, FakeStudy, make_fake_study

GO_ON = Quorum(missing="go_on", refused="go_on", fewest=2, patience_s=0.05, away_s=0.05)


class Killed(BaseException):
    """The process is gone: nothing catches this."""


def weights(study: FakeStudy) -> list[bytes]:
    """Bytes of every round's weights."""
    files = sorted(study.study.folder.rounds.glob("[0-9]*/weights.safetensors"))
    return [path.read_bytes() for path in files]


def before_each_write(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], None]) -> None:
    """Let something happen before the coordinator's files reach the disk; sites have their own."""
    fsync = os.fsync

    def disturbed(descriptor: int) -> None:
        if not Path(f"/proc/self/fd/{descriptor}").readlink().name.endswith(".audit.jsonl"):
            happens()
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", disturbed)


def run_through_deaths(study: FakeStudy, seed: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """Run again and again, dying at drawn moments: at an event, or as a file is written."""
    draw = random.Random(seed)
    left = 0

    def moment() -> None:
        nonlocal left
        left -= 1
        if left <= 0:
            raise Killed

    before_each_write(monkeypatch, moment)
    for lives in range(1, 200):
        left = draw.randrange(30, 90)
        try:
            study.run(lambda event, **facts: moment())
        except Killed:
            continue
        return lives
    raise AssertionError("the study never ended")


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_study_that_dies_at_any_moment_ends_with_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    undisturbed = make_fake_study(tmp_path / "one", seconds=60)
    undisturbed.run()
    disturbed = make_fake_study(tmp_path / "other", seconds=60)

    lives = run_through_deaths(disturbed, seed, monkeypatch)

    assert lives >= 2
    assert weights(disturbed) == weights(undisturbed)


def test_the_external_question_may_be_sent_twice_and_is_the_same(tmp_path: Path) -> None:
    study = make_fake_study(tmp_path)

    def die_after_sending(event: str, **facts: object) -> None:
        if event == "asked" and facts["message"] == "query.external":
            raise Killed

    with pytest.raises(Killed):
        study.run(die_after_sending)
    study.run()

    asked = [r for r in study.works["namur"].seen if r.arrays]
    assert len(asked) >= 2
    assert all(r.round_number == asked[0].round_number for r in asked)
    assert study.sent("namur").count("query.external") == 2
    study.run()
    assert study.sent("namur").count("query.external") == 2


def test_another_model_is_never_put_to_the_held_out_scans(tmp_path: Path) -> None:
    study = make_fake_study(tmp_path)
    study.link.change = silence("namur", "query.external")
    study.run()
    asked = study.study.folder.external_asked
    asked.write_text(asked.read_text().replace('"round": 2', '"round": 1'))
    study.link.change = lambda _site, reply: reply

    with pytest.raises(TrustError, match="was asked about round 1"):
        study.run()
    assert study.sent("namur").count("query.external") == 1


def silence(name: str, *kinds: str) -> Callable[[str, Message], Message | None]:
    """Lose a site's replies of these kinds, or all of them."""

    def change(site: str, reply: Message) -> Message | None:
        lost = site == name and (not kinds or reply.metadata.message_type in kinds)
        return None if lost else reply

    return change


def test_a_missing_external_evaluation_is_an_outcome_that_goes_on_later(tmp_path: Path) -> None:
    study = make_fake_study(tmp_path)
    study.link.change = silence("namur", "query.external")

    first = study.run()
    study.link.change = lambda _site, reply: reply
    trained = study.sent("aachen").count("train")
    second = study.run()

    assert (first.outcome, first.external) == ("waiting_for_external", None)
    assert first.best_round == second.best_round
    assert second.outcome == "finished"
    assert second.external is not None
    assert study.sent("aachen").count("train") == trained


def test_a_silent_site_stops_the_study_by_default_and_it_goes_on_when_it_is_back(
    tmp_path: Path,
) -> None:
    undisturbed = make_fake_study(tmp_path / "one")
    undisturbed.run()
    study = make_fake_study(tmp_path / "other")
    study.link.change = silence("bonn", "train")

    with pytest.raises(StudyStopped, match=r"Round 1, train.*bonn \(deadline\)"):
        study.run()
    study.link.change = lambda _site, reply: reply
    study.run()

    assert weights(study) == weights(undisturbed)


def test_with_a_quorum_the_round_goes_on_and_names_who_was_missing(tmp_path: Path) -> None:
    study = make_fake_study(tmp_path, quorum=GO_ON)
    study.link.change = silence("bonn", "train")

    summary = study.run()

    assert [entry.round for entry in summary.rounds] == [0, 1, 2]
    for entry in summary.rounds[1:]:
        assert {site.name: site.verdict for site in entry.sites} == {
            "aachen": "accepted",
            "aalborg": "accepted",
            "bonn": "deadline",
        }


def test_a_site_that_is_back_takes_part_in_the_next_round(tmp_path: Path) -> None:
    study = make_fake_study(tmp_path, quorum=GO_ON)

    def away_in_round_1(site: str, reply: Message) -> Message | None:
        return None if site == "bonn" and reply.metadata.group_id == "1" else reply

    study.link.change = away_in_round_1

    first, second = study.run().rounds[1:]

    assert [site.verdict for site in first.sites] == ["accepted", "accepted", "deadline"]
    assert [site.verdict for site in second.sites] == ["accepted"] * 3


def test_a_round_that_not_all_validated_does_not_become_the_model(tmp_path: Path) -> None:
    study = make_fake_study(tmp_path, quorum=GO_ON)

    def no_validation_in_round_2(site: str, reply: Message) -> Message | None:
        late = reply.metadata.message_type == "evaluate" and reply.metadata.group_id == "2"
        return None if site == "bonn" and late else reply

    study.link.change = no_validation_in_round_2

    summary = study.run()

    assert summary.rounds[2].not_validated == {"bonn": "deadline"}
    assert summary.rounds[2].validation_examples == 32
    assert summary.best_round == 1  # round 2 has the higher AUC

    other = make_fake_study(
        tmp_path / "other", quorum=GO_ON.model_copy(update={"candidates": "any_scans"})
    )
    other.link.change = no_validation_in_round_2
    assert other.run().best_round == 2


def test_a_site_that_never_came_is_named_absent(tmp_path: Path) -> None:
    study = make_fake_study(tmp_path, quorum=GO_ON)
    everybody = frozenset(study.works)
    study.link.online = lambda: everybody - {"bonn"}  # type: ignore[method-assign]

    summary = study.run()

    assert summary.absent == ["bonn"]
    assert {s.verdict for e in summary.rounds for s in e.sites if s.name == "bonn"} == {"away"}
    assert "began without bonn" in summary.notes[0]
    assert study.sent("bonn") == []


def test_a_late_site_says_what_it_has_and_joins_the_next_round(tmp_path: Path) -> None:
    study = make_fake_study(tmp_path, quorum=GO_ON)
    everybody, here = frozenset(study.works), {"bonn": False}
    study.link.online = (  # type: ignore[method-assign]
        lambda: everybody if here["bonn"] else everybody - {"bonn"}
    )

    def come_after_round_1(event: str, **facts: object) -> None:
        if event == "round" and facts["round"] == 1:
            here["bonn"] = True

    rounds = study.run(come_after_round_1).rounds

    assert [s.verdict for s in rounds[1].sites] == ["accepted", "accepted", "away"]
    assert [s.verdict for s in rounds[2].sites] == ["accepted"] * 3


def test_a_late_site_with_another_backbone_is_left_out_with_that_reason(tmp_path: Path) -> None:
    study = make_fake_study(tmp_path, quorum=GO_ON)
    study.works["bonn"].backbone_sha256 = "b" * 64

    rounds = study.run().rounds

    assert [s.verdict for s in rounds[1].sites] == ["accepted", "accepted", "backbone"]


def break_training(site_name: str, rounds: tuple[str, ...]) -> Callable[[str, Message], Message]:
    """Let a site answer with an error of its own, as one does whose weights are not finite."""

    def change(site: str, reply: Message) -> Message:
        kind, number = reply.metadata.message_type, reply.metadata.group_id
        if (site, kind) == (site_name, "train") and number in rounds:
            return Message(Error(1, "not_finite"), reply_to=reply)
        return reply

    return change


def test_nan_in_two_rounds_is_left_out_of_two_rounds_and_shown(tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"rounds": 3})
    study = make_fake_study(tmp_path, settings=settings, quorum=GO_ON)
    study.link.change = break_training("bonn", ("1", "2"))

    rounds = study.run().rounds

    assert [e.sites[2].verdict for e in rounds[1:]] == ["not_finite", "not_finite", "accepted"]
    assert [[r.reason for r in e.refusals] for e in rounds] == [
        [],
        ["not_finite"],
        ["not_finite"],
        [],
    ]


def test_an_exploded_update_is_refused_by_its_size(tmp_path: Path) -> None:
    study = make_fake_study(tmp_path, quorum=GO_ON)
    study.works["bonn"].step = 1000.0

    rounds = study.run().rounds

    assert [s.verdict for s in rounds[1].sites] == ["accepted", "accepted", "update_norm"]
    norm = rounds[1].sites[0].update_norm
    assert norm == pytest.approx(0.25 * np.sqrt(263_682), rel=1e-4)


def test_a_refusal_mended_by_asking_again_is_still_shown(tmp_path: Path) -> None:
    undisturbed = make_fake_study(tmp_path / "one")
    undisturbed.run()
    study = make_fake_study(tmp_path / "other")
    times = iter(range(100))

    def break_once(site: str, reply: Message) -> Message:
        if (site, reply.metadata.message_type) == ("bonn", "train") and next(times) == 0:
            return Message(Error(1, "internal"), reply_to=reply)
        return reply

    study.link.change = break_once

    summary = study.run()

    assert [(r.name, r.reason) for r in summary.rounds[1].refusals] == [("bonn", "internal")]
    assert weights(study) == weights(undisturbed)


def test_a_damaged_newest_round_is_computed_again_and_the_summary_says_so(tmp_path: Path) -> None:
    study = make_fake_study(tmp_path)
    study.run()
    before = weights(study)
    (study.study.folder.rounds / "0002/weights.safetensors").write_bytes(b"torn")
    told: list[str] = []

    summary = study.run(lambda event, **_facts: told.append(event))

    assert weights(study) == before
    assert "damaged" in told
    assert any("round 2 could not be used" in note for note in summary.notes)


def test_a_full_disk_stops_before_the_round_and_the_study_goes_on_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = make_fake_study(tmp_path / "one")
    undisturbed.run()
    study = make_fake_study(tmp_path / "other")
    left = 25

    def full() -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        before_each_write(patch, full)
        with pytest.raises(StorageFailed) as stopped:
            study.run()
    assert "Free space" in stopped.value.remedy
    study.run()

    assert weights(study) == weights(undisturbed)


def test_a_pause_holds_after_the_round_in_hand_until_it_is_taken_back(tmp_path: Path) -> None:
    study = make_fake_study(tmp_path, seconds=30)
    control = study.study.folder.control
    events: list[str] = []

    def hear(event: str, **facts: object) -> None:
        if event == "round" and facts["round"] == 1:
            write_wish(control, Wish.PAUSE)
            time.sleep(0.3)  # the wish is looked up a few times a second
        if event == "paused":
            assert facts["round"] == 2
            write_wish(control, Wish.RUN)
        events.append(event)

    study.run(hear)

    assert events.index("paused") < events.index("resumed")
    assert events.count("round") == 3


def test_a_pause_that_was_forgotten_ends_with_a_reason(tmp_path: Path) -> None:
    study = make_fake_study(tmp_path)
    write_wish(study.study.folder.control, Wish.PAUSE)

    with pytest.raises(StudyStopped, match="Paused before round 0"):
        study.run()
    assert study.sent("aachen") == ["query.describe"]


def test_a_wish_to_stop_ends_a_wait_and_the_study_goes_on_afterwards(tmp_path: Path) -> None:
    study = make_fake_study(tmp_path, seconds=30)
    study.link.change = silence("bonn", "train")

    def stop_when_asked(event: str, **facts: object) -> None:
        if event == "asked" and facts["message"] == "train":
            write_wish(study.study.folder.control, Wish.STOP)

    with pytest.raises(StopRequested):
        study.run(stop_when_asked)
    study.link.change = lambda _site, reply: reply

    assert study.run().outcome == "finished"


def test_a_site_with_other_data_than_before_is_noted(tmp_path: Path) -> None:
    study = make_fake_study(tmp_path)
    study.link.change = silence("namur", "query.external")
    study.run()
    study.works["bonn"].positives = 31
    study.link.change = lambda _site, reply: reply

    notes = study.run().notes

    assert any("bonn describes itself otherwise than before: train.metastasis" in n for n in notes)


def test_settings_changed_on_the_way_are_not_run(tmp_path: Path) -> None:
    study = make_fake_study(tmp_path)
    study.run()
    changed = study.with_file(study=SETTINGS.model_copy(update={"rounds": 9}))

    with pytest.raises(StudyStopped, match="not those this study began with"):
        changed.run()


def test_the_missing_external_evaluation_is_a_stop_with_a_remedy() -> None:
    assert issubclass(ExternalMissing, StudyStopped)


def test_a_site_that_knows_of_the_end_is_not_told_again(tmp_path: Path) -> None:
    study = make_fake_study(tmp_path)
    study.link.change = silence("bonn", "query.finish")

    for _ in range(2):
        run = StudyRun(study.study, study.link, silent, clock=lambda: TIME)
        run.goodbye(Patience(longest_s=0.2, fewest=0, patience_s=0.2, away_s=0.2))

    assert study.sent("aachen") == ["query.finish"]
    assert study.sent("bonn") == ["query.finish", "query.finish"]
