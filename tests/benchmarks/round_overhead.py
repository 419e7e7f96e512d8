"""What a round costs besides training: two sites, TLS, node keys, gate, screening, checkpoint.

Two site processes answer train requests with the weights they were sent. Timed is one train
exchange through the product's own link, gate, screening, averaging and fsynced checkpoint; a
validation exchange of the same weights is timed separately.

    python tests/benchmarks/round_overhead.py --params 263682 --rounds 20 --json
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TESTS = Path(__file__).parents[1]
sys.path.insert(0, str(TESTS))

from bs_common.architecture import NamedArrays, Trainable, array_shapes, parameter_count
from bs_common.contract import MessageType
from bs_common.messages import Request
from bs_common.randomness import generator
from bs_common.settings import StudySettings
from bs_common.weights import digest
from bs_server.federation.aggregation import federated_average
from bs_server.federation.exchange import Exchange, NoAnswer
from bs_server.federation.screening import Declared, admit_norm, admit_update, update_norm
from bs_server.gateway.link import FleetLink
from bs_server.results.summary import RoundSummary
from bs_server.storage.checkpoint import Checkpoints
from bs_server.trust.authority import Authority
from bs_server.trust.signed_register import read_register
from support.study_maker import MadeStudy, make_study

SITES = ("aachen", "aalborg")
POSITIVES = 10
SCOPES: dict[int, Trainable] = {parameter_count(scope): scope for scope in ("head", "all")}


def main() -> None:
    """Print the median seconds of a round."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--params", type=int, choices=sorted(SCOPES), required=True)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = measure(Path(folder), SCOPES[chosen.params], chosen.rounds)
    print(json.dumps(result) if chosen.json else "\n".join(f"{k}: {v}" for k, v in result.items()))


def measure(root: Path, scope: Trainable, rounds: int) -> dict[str, float | int]:
    """Run the rounds and give the medians."""
    settings = StudySettings(name="overhead", backbone="random:1", trainable=scope, rounds=rounds)
    study = make_study(root, settings, dict.fromkeys(SITES, "train"))
    processes = [start_site(study, name) for name in SITES]
    try:
        trained, validated = run_rounds(study, settings, rounds)
    finally:
        for process in processes:
            process.terminate()
            process.wait(timeout=30)
    return {
        "params": parameter_count(scope),
        "rounds": rounds,
        "median_round_s": statistics.median(trained),
        "min_round_s": min(trained),
        "max_round_s": max(trained),
        "median_evaluation_s": statistics.median(validated),
    }


def start_site(study: MadeStudy, name: str) -> subprocess.Popen[bytes]:
    """Start one site process."""
    program = [sys.executable, "-m", "support.fake_client", str(study.sites[name].path)]
    return subprocess.Popen([*program, str(POSITIVES)], cwd=TESTS, stderr=subprocess.DEVNULL)


def run_rounds(
    study: MadeStudy, settings: StudySettings, rounds: int
) -> tuple[list[float], list[float]]:
    """Time every round's training and validation exchange."""
    authority = Authority(study.folder.authority)
    link = FleetLink(
        host="127.0.0.1",
        port=study.port,
        certificate=authority.server_certificate,
        private_key=authority.server_key,
        sites=read_register(study.folder).enrolled(),
    )
    arrays: NamedArrays = {
        name: generator(1, name).normal(0, 0.01, shape).astype("float32")
        for name, shape in array_shapes(settings.trainable).items()
    }
    checkpoints = Checkpoints(study.folder.rounds, settings.trainable)
    trained, validated = [], []
    with link:
        while link.online() < set(SITES):
            time.sleep(0.05)
        exchange = Exchange(link, settings, deadline_s=120)
        for number in range(1, rounds + 1):
            started = time.perf_counter()
            arrays = train_round(exchange, checkpoints, number, arrays)
            trained.append(time.perf_counter() - started)
            started = time.perf_counter()
            exchange.ask(Request(MessageType.EVALUATE, number, arrays), SITES)
            validated.append(time.perf_counter() - started)
    return trained, validated


def train_round(
    exchange: Exchange, checkpoints: Checkpoints, number: int, arrays: NamedArrays
) -> NamedArrays:
    """Send, receive, screen, average and keep one round."""
    answers = exchange.ask(Request(MessageType.TRAIN, number, arrays), SITES)
    updates = {}
    for name, answer in answers.items():
        if isinstance(answer, NoAnswer):
            raise RuntimeError(f"{name}: {answer.reason}")
        updates[name] = admit_update(answer, Declared(train_positives=POSITIVES))
        admit_norm(update_norm(answer.arrays, arrays), math.inf)
    average = federated_average(updates)
    record = RoundSummary(
        round=number,
        pooled_auc=None,
        pooled_auc_bound=None,
        validation_loss=None,
        validation_examples=None,
        weights_sha256=digest(average),
        seconds=None,
        sites=[],
        hidden={},
    )
    checkpoints.write(record, average)
    return average


if __name__ == "__main__":
    main()
