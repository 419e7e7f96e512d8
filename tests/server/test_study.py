from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from flwr.app import Error, Message

from bs_common.architecture import initial_head
from bs_common.contract import MessageType
from bs_common.errors import StudyStopped
from bs_common.keys import public_pem
from bs_common.settings import Role, StudySettings
from bs_server.config import Deadlines, ServerSettings, StudyFile, StudyFolder
from bs_server.results.summary import Summary
from bs_server.storage.checkpoint import Checkpoints
from bs_server.study import Study, run_study
from bs_server.trust.signed_register import Register, RegisteredSite
from support.fake_site import TIME, FakeLink, FakeWork, fake_app

SETTINGS = StudySettings(name="test", seed=3, backbone="random:1", trainable="head", rounds=3)
ROLES: dict[str, Role] = {"aachen": "train", "aalborg": "train", "namur": "evaluate"}


def silent(event: str, **facts: object) -> None:
    pass


def make_study(path: Path) -> Study:
    file = StudyFile(
        study=SETTINGS,
        server=ServerSettings(address="localhost:1"),
        deadlines=Deadlines(sites_s=5, describe_s=0.5, answer_s=0.5, external_s=0.5),
    )
    key = public_pem(ec.generate_private_key(ec.SECP256R1()).public_key())
    sites = {name: RegisteredSite(role=role, public_key=key) for name, role in ROLES.items()}
    return Study(StudyFolder(path), file, Register(sites=sites))


def make_link(path: Path) -> tuple[FakeLink, dict[str, FakeWork]]:
    works = {
        "aachen": FakeWork("aachen", SETTINGS, positives=30, step=1.0),
        "aalborg": FakeWork("aalborg", SETTINGS, positives=10, step=-1.0),
        "namur": FakeWork("namur", SETTINGS),
    }
    return FakeLink({n: fake_app(w, ROLES[n], path) for n, w in works.items()}), works


def run(study: Study, link: FakeLink) -> Summary:
    return run_study(study, link, silent, clock=lambda: TIME)


def test_the_weights_are_the_mean_of_the_sites_by_examples(tmp_path: Path) -> None:
    link, _ = make_link(tmp_path)
    study = make_study(tmp_path)

    run(study, link)

    checkpoints = Checkpoints(study.folder.rounds, "head")
    last = checkpoints.weights(checkpoints.records()[-1])
    # 30 positives pull by +1, 10 by -1: +0.5 a round, three rounds.
    for name, start in initial_head(SETTINGS.seed).items():
        np.testing.assert_allclose(last[name], start + 1.5, atol=1e-6)


def test_the_best_round_goes_to_the_evaluate_site_and_nothing_before(tmp_path: Path) -> None:
    link, works = make_link(tmp_path)

    summary = run(make_study(tmp_path), link)

    asked = [request.message_type for request in works["namur"].seen]
    assert asked == [MessageType.DESCRIBE, MessageType.EXTERNAL]
    assert works["namur"].seen[-1].round_number == summary.best_round == 3
    assert summary.external is not None
    assert summary.external.tp == 7


def test_pooled_validation_auc_rises_with_better_scores(tmp_path: Path) -> None:
    link, _ = make_link(tmp_path)

    rounds = run(make_study(tmp_path), link).rounds

    aucs = [entry.pooled_auc for entry in rounds]
    assert [entry.round for entry in rounds] == [0, 1, 2, 3]
    assert aucs == sorted(aucs, key=lambda auc: auc or 0)


def test_a_study_started_again_does_not_repeat_finished_rounds(tmp_path: Path) -> None:
    first_link, _ = make_link(tmp_path)
    first = run(make_study(tmp_path), first_link)
    link, works = make_link(tmp_path)

    again = run(make_study(tmp_path), link)

    assert MessageType.TRAIN not in [r.message_type for r in works["aachen"].seen]
    assert MessageType.EXTERNAL not in [r.message_type for r in works["namur"].seen]
    assert again.rounds == first.rounds


def test_an_update_with_the_wrong_count_is_refused_and_stops_the_study(tmp_path: Path) -> None:
    link, works = make_link(tmp_path)

    def double(site: str, reply: Message) -> Message:
        if site == "aachen" and reply.metadata.message_type == "train":
            reply.content.metric_records["metrics"]["num-examples"] = 1_000_000
        return reply

    link.change = double

    with pytest.raises(StudyStopped, match=r"aachen \(example_count\)"):
        run(make_study(tmp_path), link)
    asked = [r.message_type for r in works["aachen"].seen]
    assert asked.count(MessageType.TRAIN) == 2


def test_a_silent_site_becomes_a_stated_outcome_after_the_deadline(tmp_path: Path) -> None:
    link, _ = make_link(tmp_path)
    link.change = lambda site, reply: None if site == "aalborg" else reply

    with pytest.raises(StudyStopped, match=r"aalborg \(deadline\)"):
        run(make_study(tmp_path), link)


def test_a_text_in_a_sites_error_never_reaches_the_coordinators_words(tmp_path: Path) -> None:
    link, _ = make_link(tmp_path)

    def leak(site: str, reply: Message) -> Message:
        return Message(Error(1, "patient JOHN^DOE: boom"), reply_to=reply)

    link.change = leak

    with pytest.raises(StudyStopped) as stopped:
        run(make_study(tmp_path), link)
    assert "JOHN" not in str(stopped.value)
    assert "unreadable_reason" in str(stopped.value)
