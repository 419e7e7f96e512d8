"""A long study under fire, and one with many sites: it ends right, and nothing grows."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from bs_common.settings import Role, StudySettings
from support.parties import COORDINATOR, Parties, weights_of
from support.relay import Relay
from support.study_maker import free_port, make_study

pytestmark = [pytest.mark.integration, pytest.mark.soak]

ROUNDS, CALM_FROM = 300, 200
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


def run(root: Path, settings: StudySettings, *, kills: bool) -> tuple[list[bytes], list[str]]:
    """Run the study to its end; give its weights and what was seen of its processes."""
    port = free_port()
    study = make_study(root, settings, ROLES, dialled_port=port)
    draw = random.Random(SEED)
    killed: dict[str, int] = dict.fromkeys((COORDINATOR, *ROLES, "connections"), 0)
    with Relay(port, study.port) as relay, Parties(study) as parties:
        words = ("--seconds", "0.02")
        parties.start(COORDINATOR)
        parties.start(*ROLES, words=words)
        end = time.monotonic() + 900
        while kills and parties.rounds() < CALM_FROM:
            assert time.monotonic() < end, parties.tails()
            time.sleep(draw.uniform(1.0, 4.0))
            victim = draw.choice(list(killed))
            killed[victim] += 1
            if victim == "connections":
                relay.cut()
                continue
            parties.kill(victim)
            parties.start(victim, words=() if victim == COORDINATOR else words)
        parties.until(lambda: parties.rounds() >= CALM_FROM + 10, seconds=600)
        first = sizes(parties)
        parties.until(lambda: parties.rounds() >= ROUNDS - 2, seconds=600)
        last = sizes(parties)
        parties.finish(120)
    for name, begun in first.items():
        ended = last[name]
        assert ended.rss_mb < begun.rss_mb + 20, f"{name}: {begun} -> {ended}"
        assert ended.files <= begun.files + 4, f"{name}: {begun} -> {ended}"
        assert ended.threads <= begun.threads + 4, f"{name}: {begun} -> {ended}"
    seen = [f"{name}: {first[name]} -> {last[name]}" for name in first]
    return weights_of(study, ROUNDS)[-5:], [f"killed: {killed}", *seen]


@pytest.mark.timeout(3000)
def test_three_hundred_rounds_under_random_kills_end_with_the_bytes_of_calm_ones(
    tmp_path: Path,
    record_property: Callable[[str, object], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings = StudySettings(
        name="soak", seed=3, backbone="random:1", trainable="head", rounds=ROUNDS
    )

    disturbed, seen = run(tmp_path / "disturbed", settings, kills=True)
    calm, calm_seen = run(tmp_path / "calm", settings, kills=False)

    with capsys.disabled():
        print("", *seen, "calm:", *calm_seen, sep="\n")  # noqa: T201 - the figures of the run
    record_property("seen", seen)
    assert disturbed == calm


@pytest.mark.timeout(1800)
def test_fifty_sites_are_all_served_in_every_round(
    tmp_path: Path,
    record_property: Callable[[str, object], None],
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
    record_property("seen", said)
    assert worked == dict.fromkeys(names, 20)
    assert last.rss_mb < first.rss_mb + 50
