"""A long study under fire, and one with many sites: it ends right, and nothing grows."""

from __future__ import annotations

import datetime
import random
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from bs_common.settings import Role, StudySettings
from bs_server.federation.exchange import silent
from bs_server.study import Study, run_study
from bs_server.trust.signed_register import read_register
from support.fake_site import FakeLink, fake_app
from support.parties import COORDINATOR, Parties
from support.relay import Relay
from support.slow_site import SlowWork, positives_of
from support.study_maker import MadeStudy, free_port, make_study

pytestmark = [pytest.mark.integration, pytest.mark.soak]

ROUNDS, CALM_FROM = 300, 200
LONGEST_S = 1500  # of each half, on a busy machine
ROLES: dict[str, Role] = {"aachen": "train", "aalborg": "train", "namur": "evaluate"}
SEED = 20261124


@dataclass(frozen=True)
class Size:
    """What a process holds."""

    rss_mb: float
    files: int
    threads: int


def size_of(pid: int) -> Size:
    status = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    return Size(
        int(status["VmRSS"].split()[0]) / 1024,
        len(list(Path(f"/proc/{pid}/fd").iterdir())),
        int(status["Threads"]),
    )


def sizes(parties: Parties) -> dict[str, Size]:
    return {name: size_of(parties.pid(name)) for name in (COORDINATOR, *parties.sites)}


def calm_weights(root: Path, settings: StudySettings) -> list[bytes]:
    """Give the last rounds' weights of the same study without processes and without a network."""
    made = make_study(root, settings, ROLES)
    works = {name: SlowWork(name, settings, positives=positives_of(name)) for name in ROLES}
    link = FakeLink({name: fake_app(works[name], role, root) for name, role in ROLES.items()})
    study = Study(made.folder, made.folder.read(), read_register(made.folder))
    run_study(study, link, silent, clock=lambda: datetime.datetime.now(datetime.UTC))
    return last_weights(made)


def last_weights(study: MadeStudy) -> list[bytes]:
    folders = [study.folder.rounds / f"{number:04d}" for number in range(ROUNDS - 3, ROUNDS + 1)]
    return [(folder / "weights.safetensors").read_bytes() for folder in folders]


@pytest.mark.timeout(3600)
def test_three_hundred_rounds_under_random_kills_end_with_the_bytes_of_calm_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = StudySettings(
        name="soak", seed=3, backbone="random:1", trainable="head", rounds=ROUNDS
    )
    port = free_port()
    study = make_study(tmp_path / "study", settings, ROLES, dialled_port=port)
    draw = random.Random(SEED)
    killed: dict[str, int] = dict.fromkeys((COORDINATOR, *ROLES, "connections"), 0)
    words = ("--seconds", "0.02")
    with Relay(port, study.port) as relay, Parties(study) as parties:
        parties.start(COORDINATOR)
        parties.start(*ROLES, words=words)
        end = time.monotonic() + LONGEST_S
        while parties.rounds() < CALM_FROM and time.monotonic() < end:
            time.sleep(draw.uniform(2.0, 8.0))
            victim = draw.choice(list(killed))
            killed[victim] += 1
            if victim == "connections":
                relay.cut()
                continue
            parties.kill(victim)
            parties.start(victim, words=() if victim == COORDINATOR else words)
        reached = parties.rounds()
        parties.until(lambda: parties.rounds() >= reached + 10, seconds=LONGEST_S)
        first = sizes(parties)
        parties.until(lambda: parties.rounds() >= ROUNDS - 2, seconds=LONGEST_S)
        last = sizes(parties)
        parties.finish()

    with capsys.disabled():
        print(f"\nkilled until round {reached}: {killed}")  # noqa: T201 - the figures of the run
        for name, begun in first.items():
            print(f"{name}: {begun} -> {last[name]}")  # noqa: T201
    for name, begun in first.items():
        ended = last[name]
        assert ended.rss_mb < begun.rss_mb + 20, f"{name}: {begun} -> {ended}"
        assert ended.files <= begun.files + 4, f"{name}: {begun} -> {ended}"
        assert ended.threads <= begun.threads + 4, f"{name}: {begun} -> {ended}"
    assert last_weights(study) == calm_weights(tmp_path / "calm", settings)


@pytest.mark.timeout(1800)
def test_fifty_sites_are_all_served_in_every_round(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    names = [f"site-{number:02d}" for number in range(50)]
    settings = StudySettings(name="many", backbone="random:1", trainable="head", rounds=20)
    study = make_study(tmp_path, settings, dict.fromkeys(names, "train"))

    with Parties(study) as parties:
        parties.start(COORDINATOR)
        parties.start(*names, words=("--seconds", "0"))
        parties.until(lambda: parties.rounds() >= 5, seconds=600)
        first = size_of(parties.pid(COORDINATOR))
        parties.until(lambda: parties.rounds() >= 20, seconds=900)
        last = size_of(parties.pid(COORDINATOR))
        parties.finish(120)
        rounds = parties.events("round")
        worked = {name: len(parties.worked(name)) for name in names}

    seconds = [event["seconds"] for event in rounds if event["round"] > 0]
    said = [
        f"seconds a round: median {statistics.median(seconds):.1f}, longest {max(seconds):.1f}",
        f"coordinator: {first} -> {last}",
    ]
    with capsys.disabled():
        print("", *said, sep="\n")  # noqa: T201 - the figures of the run
    assert worked == dict.fromkeys(names, 20)
    assert last.rss_mb < first.rss_mb + 50
