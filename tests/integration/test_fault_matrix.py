"""Whatever is killed, unplugged or filled up: the study finishes with the same bytes, or says why.

Each row disturbs one study of real processes and holds its weights against those of a study that
nothing disturbed. The table of all rows is printed at the end, and written to the file that the
environment variable FAULT_MATRIX names.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bs_client.config import DataSettings
from bs_common.settings import Role, StudySettings
from bs_common.toml import write_toml
from bs_server.config import Quorum
from support.parties import COORDINATOR, Parties, weights_of
from support.real_study import HEAD, make_cohorts
from support.relay import Relay, Weather
from support.study_maker import MadeStudy, free_port, make_study

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

ROUNDS = 3
SETTINGS = StudySettings(
    name="faults", seed=5, backbone="random:1", trainable="head", rounds=ROUNDS
)
ROLES: dict[str, Role] = {"aachen": "train", "aalborg": "train", "namur": "evaluate"}
TRAIN, EXTERNAL, FINISH = "train", "query.external", "query.finish"
SAME = "finished, same bytes"

# Where in the programs a phase is: file, qualified name, and the how manieth time.
PULLED = "inflatable_protobuf_utils.py:make_pull_object_fn_protobuf.<locals>.pull_object_fn"
PUSHED = "inflatable_protobuf_utils.py:make_push_object_fn_protobuf.<locals>.push_object_fn"


@dataclass
class Scene:
    """One study about to be disturbed.

    said : what a row has to tell beside that the bytes are the same.
    """

    parties: Parties
    relay: Relay
    root: Path
    said: list[str] = field(default_factory=list)

    def start_all(self) -> None:
        self.parties.start(COORDINATOR, *ROLES)

    def restart(self, name: str) -> None:
        self.parties.kill(name)
        self.parties.start(name)

    def kill_inside(self, name: str, place: str, *, restart: bool = True) -> None:
        """Start everybody, one of them to be killed inside a function, and start that one again."""
        mark = self.root / "mark"
        others = [party for party in (COORDINATOR, *ROLES) if party != name]
        self.parties.start(*others)
        self.parties.start(name, disturb=["--at", place, "--mark", str(mark)])
        self.parties.until(mark.exists)
        self.parties.kill(name)
        if restart:
            self.parties.start(name)


Act = Callable[[Scene], None]
Check = Callable[[Scene], str]  # what became of a study that a site was left out of


@dataclass(frozen=True)
class Row:
    """One line of the matrix."""

    party: str
    phase: str
    fault: str
    act: Act
    default: bool = False
    quorum: Quorum | None = None
    outcome: Check | None = None

    @property
    def name(self) -> str:
        return f"{self.party}-{self.phase}-{self.fault}".replace(" ", "_")


def inside(name: str, place: str) -> Act:
    return lambda scene: scene.kill_inside(name, place)


def waiting(name: str) -> Act:
    """Kill while not all sites are there."""

    def act(scene: Scene) -> None:
        late = "aalborg" if name != "aalborg" else "aachen"
        scene.parties.start(*(party for party in (COORDINATOR, *ROLES) if party != late))
        here = set(ROLES) - {late}
        scene.parties.until(
            lambda: any(set(e["online"]) == here for e in scene.parties.events("waiting"))
        )
        scene.restart(name)
        scene.parties.start(late)

    return act


def while_working(name: str, site: str, message_type: str) -> Act:
    """Kill a party while a site is in the middle of long work."""

    def act(scene: Scene) -> None:
        scene.start_all()
        asked = 2 if message_type == TRAIN else 1
        scene.parties.until(lambda: scene.parties.passed(site, "in", message_type) >= asked)
        time.sleep(0.1)  # a quarter of the work
        assert scene.parties.passed(site, "out", message_type) < asked
        scene.restart(name)

    return act


def answered_once(act: Act, site: str, piece: str) -> Act:
    """Afterwards the site has done a piece of work a single time."""

    def checked(scene: Scene) -> None:
        act(scene)
        scene.parties.finish()
        assert scene.parties.worked(site).count(piece) == 1
        scene.said.append("answered from the record")

    return checked


def all_sites_at_once(scene: Scene) -> None:
    scene.start_all()
    scene.parties.until(lambda: scene.parties.rounds() >= 2)
    for name in ROLES:
        scene.parties.kill(name)
    scene.parties.start(*ROLES)


def everybody_at_once(scene: Scene) -> None:
    scene.start_all()
    scene.parties.until(lambda: scene.parties.rounds() >= 2)
    for name in (COORDINATOR, *ROLES):
        scene.parties.kill(name)
    scene.parties.start(COORDINATOR, *ROLES)


def frozen(name: str, seconds: float) -> Act:
    def act(scene: Scene) -> None:
        scene.start_all()
        scene.parties.until(lambda: scene.parties.rounds() >= 2)
        scene.parties.signal(name, signal.SIGSTOP)
        time.sleep(seconds)
        scene.parties.signal(name, signal.SIGCONT)

    return act


def ended_in_order(scene: Scene) -> None:
    scene.start_all()
    scene.parties.until(lambda: scene.parties.passed("aachen", "in", TRAIN) >= 2)
    began = time.monotonic()
    scene.parties.signal("aachen", signal.SIGTERM)
    assert scene.parties.wait_for_end("aachen", 10) == 0
    scene.said.append(f"exit 0 after {time.monotonic() - began:.1f} s")
    scene.parties.start("aachen")


def weather(kind: Weather, seconds: float) -> Act:
    """Spoil the network in the middle of the rounds, then let it be as before."""

    def act(scene: Scene) -> None:
        scene.start_all()
        scene.parties.until(lambda: scene.parties.rounds() >= 2)
        scene.relay.weather = kind
        time.sleep(seconds)
        scene.relay.weather = "clear"
        if kind == "silent":
            scene.relay.cut()

    return act


def cut_often(scene: Scene) -> None:
    scene.start_all()
    scene.parties.until(lambda: scene.parties.rounds() >= 1)
    for _ in range(6):
        time.sleep(0.5)
        scene.relay.cut()


def slow_line(scene: Scene) -> None:
    scene.relay.weather = "slow"
    scene.start_all()
    scene.parties.until(lambda: scene.parties.rounds() >= 2, seconds=120)
    scene.relay.weather = "clear"


def limit_file_size(scene: Scene, name: str, size: int) -> None:
    limits = (size, resource.RLIM_INFINITY)
    resource.prlimit(scene.parties.pid(name), resource.RLIMIT_FSIZE, limits)


def full_disk_at_a_site(scene: Scene) -> None:
    """An answer of a megabyte cannot be kept; small files still can, as on a disk nearly full."""
    scene.start_all()
    scene.parties.until(lambda: scene.parties.rounds() >= 2)
    limit_file_size(scene, "aachen", 300_000)
    scene.parties.until(lambda: "refused storage" in scene.parties.log("aachen"))
    assert "What to do" in scene.parties.log("aachen")
    limit_file_size(scene, "aachen", resource.RLIM_INFINITY)
    scene.said.append("code: storage")
    if scene.parties.wait_or_none(COORDINATOR, 5) is not None:
        scene.parties.start(COORDINATOR)


def full_disk_for_the_audit(scene: Scene) -> None:
    """Not even a line of the record can be written: nothing leaves, and the site ends."""
    scene.start_all()
    scene.parties.until(lambda: scene.parties.rounds() >= 2)
    limit_file_size(scene, "aachen", 1000)
    assert scene.parties.wait_for_end("aachen", 180) == 1
    assert "What to do" in scene.parties.log("aachen")
    scene.said.append("ended with the remedy")
    scene.parties.start("aachen")


def full_disk_at_the_coordinator(scene: Scene) -> None:
    scene.start_all()
    scene.parties.until(lambda: scene.parties.rounds() >= 2)
    limit_file_size(scene, COORDINATOR, 300_000)
    assert scene.parties.wait_for_end(COORDINATOR, 180) == 1
    assert "What to do" in scene.parties.log(COORDINATOR)
    scene.said.append("ended with the remedy")
    scene.parties.start(COORDINATOR)


def clock_jump(name: str, ahead_s: float, seconds: float) -> Act:
    def act(scene: Scene) -> None:
        clock = scene.root / "clock"
        others = [party for party in (COORDINATOR, *ROLES) if party != name]
        scene.parties.start(*others)
        scene.parties.start(name, disturb=["--clock", str(clock)])
        scene.parties.until(lambda: scene.parties.rounds() >= 2)
        clock.write_text(str(ahead_s))
        time.sleep(seconds)
        clock.write_text("0")

    return act


def second_instance(scene: Scene) -> None:
    """A second process on the same folder is refused; the first one goes on."""
    scene.start_all()
    scene.parties.until(lambda: scene.parties.passed("aachen", "in", TRAIN) >= 1)
    first = scene.parties.pid("aachen")
    assert scene.parties.try_second("aachen") == 1
    scene.parties.until(lambda: f"process {first} on " in scene.parties.log("aachen"))
    scene.said.append("refused with pid and host")


def frozen_beyond_the_deadline(scene: Scene) -> None:
    """A site stands still for longer than a round waits for it, and comes back."""
    scene.start_all()
    scene.parties.until(lambda: scene.parties.passed("aachen", "in", TRAIN) >= 2)
    scene.parties.signal("aachen", signal.SIGSTOP)
    scene.parties.until(lambda: scene.parties.rounds() >= 3)
    scene.parties.signal("aachen", signal.SIGCONT)


def away_beyond_the_deadline(scene: Scene) -> None:
    scene.start_all()
    scene.parties.until(lambda: scene.parties.passed("aachen", "in", TRAIN) >= 2)
    scene.parties.kill("aachen")
    scene.parties.until(lambda: scene.parties.rounds() >= 3)
    scene.parties.start("aachen")


def verdicts(scene: Scene) -> list[str]:
    """What became of aachen's update in each round."""
    rounds = {event["round"]: event["without"] for event in scene.parties.events("round")}
    return [rounds[number].get("aachen", "accepted") for number in range(1, ROUNDS + 1)]


def left_out_in(number: int, *reasons: str) -> Check:
    """The site was left out of one round with a reason, and of no later one."""

    def check(scene: Scene) -> str:
        said = verdicts(scene)
        assert said[number - 1] in reasons, said
        assert said[: number - 1] + said[number:] == ["accepted"] * (ROUNDS - 1), said
        return f"finished; round {number} without aachen ({said[number - 1]}), then with it"

    return check


def nan_for_two_rounds(scene: Scene) -> None:
    scene.parties.start(COORDINATOR, "aalborg", "namur")
    scene.parties.start("aachen", words=("--nan", "1,2"))


def nan_until_mended(scene: Scene) -> None:
    """The round is repeated, then the study stops with a reason; the site is mended; it goes on."""
    nan_for_two_rounds(scene)
    assert scene.parties.wait_for_end(COORDINATOR, 180) == 1
    assert "aachen (not_finite)" in scene.parties.log(COORDINATOR)
    scene.said.append("stopped with not_finite, went on when mended")
    scene.parties.kill("aachen")
    scene.parties.start(COORDINATOR, "aachen")


def left_out_of_two(scene: Scene) -> str:
    said = verdicts(scene)
    assert said == ["not_finite", "not_finite", "accepted"], said
    return "finished; rounds 1 and 2 without aachen (not_finite), then with it"


def corrupt_checkpoint(name: str) -> Act:
    """The newest round's file is damaged while the coordinator is down."""

    def act(scene: Scene) -> None:
        scene.start_all()
        scene.parties.until(lambda: scene.parties.rounds() >= 3)
        scene.parties.kill(COORDINATOR)
        newest = max(scene.parties.study.folder.rounds.glob("[0-9]*"))
        content = bytearray((newest / name).read_bytes())
        content[len(content) // 2] ^= 1
        (newest / name).write_bytes(content)
        scene.parties.start(COORDINATOR)
        scene.parties.until(lambda: scene.parties.events("damaged"))
        scene.said.append("fell back by a round and said so")

    return act


GO_ON = Quorum(fewest=1, missing="go_on", refused="go_on", patience_s=15, away_s=5)
TRAINING_SITES = ("aachen", "aalborg")
ROWS = [
    Row(COORDINATOR, "waiting", "kill -9", waiting(COORDINATOR)),
    Row(
        COORDINATOR,
        "sending model",
        "kill -9",
        inside(COORDINATOR, "fleet_handlers.py:pull_object:27"),
    ),
    Row(
        COORDINATOR,
        "training",
        "kill -9",
        while_working(COORDINATOR, "aachen", TRAIN),
        default=True,
    ),
    Row(
        COORDINATOR, "uploading", "kill -9", inside(COORDINATOR, "fleet_handlers.py:push_object:28")
    ),
    Row(
        COORDINATOR,
        "aggregating",
        "kill -9",
        inside(COORDINATOR, "bs_server/federation/aggregation.py:federated_average:2"),
    ),
    Row(
        COORDINATOR,
        "checkpointing",
        "kill -9 before weights",
        inside(COORDINATOR, "bs_common/weights.py:write_weights:3"),
    ),
    Row(
        COORDINATOR,
        "checkpointing",
        "kill -9 before the rename",
        inside(COORDINATOR, "pathlib.py:Path.rename:3"),
    ),
    Row(
        COORDINATOR,
        "external evaluation",
        "kill -9",
        while_working(COORDINATOR, "namur", EXTERNAL),
    ),
    Row(
        COORDINATOR,
        "external evaluation",
        "kill -9 before it is kept",
        answered_once(
            inside(COORDINATOR, "bs_server/evaluation/external.py:summarise_external:1"),
            "namur",
            "query.external 3",
        ),
    ),
    Row(
        COORDINATOR,
        "release",
        "kill -9",
        inside(COORDINATOR, "bs_server/release.py:describe_model:1"),
    ),
    *(Row(site, "waiting", "kill -9", waiting(site)) for site in ROLES),
    *(
        Row(site, "receiving model", "kill -9", inside(site, f"{PULLED}:13"))
        for site in TRAINING_SITES
    ),
    *(
        Row(site, "training", "kill -9", while_working(site, site, TRAIN))
        for site in TRAINING_SITES
    ),
    *(
        Row(
            site,
            "uploading",
            "kill -9",
            answered_once(inside(site, f"{PUSHED}:12"), site, "train 1"),
            default=site == "aachen",
        )
        for site in TRAINING_SITES
    ),
    Row("namur", "external evaluation", "kill -9", while_working("namur", "namur", EXTERNAL)),
    Row(
        "namur",
        "uploading",
        "kill -9",
        answered_once(inside("namur", f"{PUSHED}:6"), "namur", "query.external 3"),
    ),
    Row("all sites", "training", "kill -9", all_sites_at_once),
    Row("everybody", "training", "kill -9", everybody_at_once),
    Row("aachen", "training", "SIGTERM", ended_in_order),
    Row("aachen", "training", "second process", second_instance),
    Row("aachen", "training", "SIGSTOP 5 s", frozen("aachen", 5)),
    Row(COORDINATOR, "training", "SIGSTOP 8 s", frozen(COORDINATOR, 8)),
    Row("network", "training", "cut six times", cut_often, default=True),
    Row("network", "training", "slow", slow_line),
    Row("network", "training", "corrupt 3 s", weather("corrupt", 3)),
    Row("network", "training", "halves 3 s", weather("halve", 3)),
    Row("network", "training", "silent 6 s, then cut", weather("silent", 6)),
    Row("network", "training", "silent 45 s", weather("silent", 45)),
    Row(
        "aachen",
        "training",
        "SIGSTOP beyond the deadline",
        frozen_beyond_the_deadline,
        quorum=GO_ON,
        outcome=left_out_in(2, "deadline", "away"),
    ),
    Row(
        "aachen",
        "training",
        "kill -9, away beyond the deadline",
        away_beyond_the_deadline,
        quorum=GO_ON,
        outcome=left_out_in(2, "away", "deadline"),
    ),
    Row("aachen", "training", "NaN until mended", nan_until_mended),
    Row(
        "aachen",
        "training",
        "NaN for two rounds",
        nan_for_two_rounds,
        quorum=GO_ON,
        outcome=left_out_of_two,
    ),
    Row(COORDINATOR, "resuming", "weights corrupt", corrupt_checkpoint("weights.safetensors")),
    Row(COORDINATOR, "resuming", "record corrupt", corrupt_checkpoint("round.json")),
    Row("aachen", "training", "disk full", full_disk_at_a_site),
    Row("aachen", "training", "disk full, record too", full_disk_for_the_audit),
    Row(COORDINATOR, "checkpointing", "disk full", full_disk_at_the_coordinator),
    Row("aachen", "training", "clock 10 min ahead for 4 s", clock_jump("aachen", 600, 4)),
    Row(
        COORDINATOR,
        "training",
        "clock 13 h ahead for 4 s",
        clock_jump(COORDINATOR, 13 * 3600, 4),
    ),
]


@dataclass
class Matrix:
    """What became of each row."""

    lines: list[tuple[str, str, str, str, str]] = field(default_factory=list)

    def add(self, *what: str, outcome: str, began: float) -> None:
        party, phase, fault = what
        taken = f"{time.monotonic() - began:.0f} s"
        self.lines.append((party, phase, fault, outcome, taken))
        if path := os.environ.get("FAULT_MATRIX"):
            Path(path).write_text(self.table() + "\n")

    def table(self) -> str:
        head = ("party", "phase", "fault", "outcome", "time")
        widths = [max(len(line[i]) for line in (head, *self.lines)) for i in range(5)]
        rows = [head, tuple("-" * width for width in widths), *self.lines]
        return "\n".join(
            "| " + " | ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) + " |"
            for row in rows
        )


@pytest.fixture(scope="module")
def matrix(request: pytest.FixtureRequest) -> Iterator[Matrix]:
    made = Matrix()
    yield made
    if not made.lines:
        return
    capture = request.config.pluginmanager.get_plugin("capturemanager")
    assert capture is not None
    with capture.global_and_fixture_disabled():
        sys.stderr.write(f"\n{made.table()}\n")


def new_study(root: Path) -> tuple[MadeStudy, int]:
    port = free_port()
    return make_study(root, SETTINGS, ROLES, dialled_port=port), port


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """Give the weights of every round of the study that nothing disturbs."""
    study, port = new_study(tmp_path_factory.mktemp("undisturbed"))
    with Relay(port, study.port), Parties(study) as parties:
        parties.start(COORDINATOR, *ROLES)
        parties.finish()
    found = weights_of(study, ROUNDS)
    assert len(set(found)) == ROUNDS + 1  # every round learned something
    return found


@pytest.mark.parametrize(
    "row",
    [pytest.param(r, id=r.name, marks=[] if r.default else [pytest.mark.soak]) for r in ROWS],
)
def test_a_disturbed_study_ends_with_the_bytes_of_an_undisturbed_one(
    row: Row, undisturbed: list[bytes], matrix: Matrix, tmp_path: Path
) -> None:
    study, port = new_study(tmp_path / "study")
    if row.quorum is not None:
        file = study.folder.read().model_copy(update={"quorum": row.quorum})
        write_toml(study.folder.study_file, file)
    began, outcome = time.monotonic(), "FAILED"
    try:
        with Relay(port, study.port) as relay, Parties(study) as parties:
            scene = Scene(parties, relay, tmp_path)
            row.act(scene)
            parties.finish()
            assert study.folder.report.exists()
            if row.outcome is not None:
                outcome = row.outcome(scene)
                return
            same = weights_of(study, ROUNDS) == undisturbed
            outcome = "; ".join([SAME if same else "OTHER BYTES", *scene.said])
            assert same
    except AssertionError as error:
        outcome = f"FAILED: {str(error).splitlines()[0][:60] if str(error) else 'assertion'}"
        raise
    finally:
        matrix.add(row.party, row.phase, row.fault, outcome=outcome, began=began)


# The product's own programs with TensorFlow: rounds of forty short epochs, kept at every step.
REAL = HEAD.model_copy(update={"local_epochs": 40, "rounds": 3, "compare_local": False})


def new_real_study(root: Path, data: Mapping[str, DataSettings]) -> tuple[MadeStudy, int]:
    port = free_port()
    study = make_study(root, REAL, ROLES, data=dict(data), dialled_port=port)
    for site in study.sites.values():
        file = site.read()
        often = file.compute.model_copy(update={"checkpoint_s": 0.0})
        write_toml(site.site_file, file.model_copy(update={"compute": often}))
    return study, port


def in_training(parties: Parties, name: str, number: int) -> Callable[[], bool]:
    """Tell whether a site is inside its training of a round, with a part of it kept on disk."""
    draft = parties.study.sites[name].draft

    def claim() -> bool:
        asked = parties.passed(name, "in", TRAIN) >= number
        if not asked or parties.passed(name, "out", TRAIN) >= number or not draft.exists():
            return False
        before = draft.stat().st_mtime_ns
        time.sleep(0.2)
        return draft.stat().st_mtime_ns != before

    return claim


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_the_products_own_sites_go_on_inside_a_round(matrix: Matrix, tmp_path: Path) -> None:
    data = make_cohorts(tmp_path / "data")
    calm, port = new_real_study(tmp_path / "calm", data)
    with Relay(port, calm.port), Parties(calm) as parties:
        parties.start(COORDINATOR)
        parties.start_client(*ROLES)
        parties.finish(400)

    began = time.monotonic()
    study, port = new_real_study(tmp_path / "study", data)
    rows = [
        ("aachen (bs-client)", "training", "kill -9"),
        ("aalborg (bs-client)", "uploading", "kill -9"),
        ("aachen (bs-client)", "training", "SIGTERM"),
    ]
    said = ["FAILED"] * len(rows)
    try:
        with Relay(port, study.port) as relay, Parties(study) as parties:
            parties.start(COORDINATOR)
            parties.start_client(*ROLES)

            parties.until(in_training(parties, "aachen", 1), 300)
            parties.kill("aachen")
            parties.start_client("aachen")
            parties.until(lambda: "training goes on in epoch" in parties.log("aachen"), 300)
            said[0] = "went on inside the round"

            parties.until(lambda: parties.passed("aalborg", "in", TRAIN) >= 2, 300)
            relay.weather = "slow"  # a megabyte takes seconds
            parties.until(lambda: parties.passed("aalborg", "out", TRAIN) >= 2, 300)
            parties.kill("aalborg")
            relay.weather = "clear"
            assert not [
                event
                for event in parties.events("trained")
                if (event["site"], event["round"]) == ("aalborg", 2)
            ]
            parties.start_client("aalborg")
            parties.until(lambda: "round 2: answered before" in parties.log("aalborg"), 300)
            said[1] = "answered from the record"

            parties.until(in_training(parties, "aachen", 3), 300)
            stopped = time.monotonic()
            parties.signal("aachen", signal.SIGTERM)
            assert parties.wait_for_end("aachen", 10) == 0
            said[2] = f"exit 0 after {time.monotonic() - stopped:.1f} s"
            parties.start_client("aachen")
            parties.finish(400)
        same = weights_of(study, REAL.rounds) == weights_of(calm, REAL.rounds)
        said = [f"{SAME if same else 'OTHER BYTES'}; {word}" for word in said]
        assert same
    finally:
        for row, word in zip(rows, said, strict=True):
            matrix.add(*row, outcome=word, began=began)
