"""A site without scans or TensorFlow: its numbers are drawn, its gate and its app are real."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

import numpy as np
from flwr.app import Context, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.supercore.task_identity import TaskIdentity

from bs_client.config import Policy
from bs_client.federation.activity import Activity
from bs_client.federation.app import make_app
from bs_client.federation.asked import Asked
from bs_client.federation.gate import Gate
from bs_client.federation.policy import external_requests
from bs_common.architecture import backbone_shapes, initial_head
from bs_common.audit import AuditLog, Passage
from bs_common.bins import COUNTS_NAMES, edges_with
from bs_common.contract import COHORT_CELLS, QUARTILES, MessageType, reply_shapes
from bs_common.errors import EgressRefused
from bs_common.messages import Metric, Reply, Request
from bs_common.metrics import histogram
from bs_common.settings import Role, StudySettings
from bs_common.weights import digest

# Six readers of PAPER's 67 and 67 scans.
READERS: Mapping[str, Metric] = {
    "readers": 6,
    "synthetic": 1,
    "cases.metastasis": 67,
    "cases.no_metastasis": 67,
    **{f"unaided.auc.{part}": 0.85 + 0.05 * k for k, part in enumerate(QUARTILES)},
    "unaided.mean-auc": 0.9,
    "unaided.mean-auc-low": 0.85,
    "unaided.mean-auc-high": 0.95,
    "unaided.minutes": 180.0,
    "model.auc": 0.95,
    "model.auc-low": 0.91,
    "model.auc-high": 0.99,
    "readers-minus-model": -0.05,
    "readers-minus-model-low": -0.1,
    "readers-minus-model-high": 0.0,
    "readers-minus-model.f": 4.0,
    "readers-minus-model.df": 9.5,
    "readers-minus-model.p": 0.05,
}
TIME = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)


@dataclass
class FakeWork:
    """Adds a site's own number to every weight; scores improve with the round."""

    name: str
    settings: StudySettings
    positives: int = 10
    step: float = 0.25
    backbone_sha256: str = "a" * 64
    data_sha256: str = "d" * 64
    activity: Activity = field(default_factory=Activity)
    external_models: int = 1
    seen: list[Request] = field(default_factory=list)
    reader_metrics: Mapping[str, Metric] | None = field(default_factory=lambda: READERS)

    def describe(self, request: Request) -> Reply:
        self.seen.append(request)
        metrics: dict[str, int] = dict.fromkeys(COHORT_CELLS, 0)
        metrics |= {"train.metastasis": self.positives, "train.no_metastasis": 30}
        metrics |= {"validation.metastasis": 8, "validation.no_metastasis": 8}
        texts = {"backbone-sha256": self.backbone_sha256, "device": "cpu (1 thread)"}
        texts |= dict.fromkeys(
            ("version.bs-client", "version.python", "version.keras", "version.flwr"), "1.0"
        )
        texts["version.backend"] = "numpy 1.0"
        more = {"synthetic": 1, "min-cell": 1, "external-models": self.external_models}
        return Reply(MessageType.DESCRIBE, request.round_number, {}, metrics | more, texts)

    def initial(self, request: Request) -> Reply:
        shapes = reply_shapes(MessageType.INITIAL, self.settings)
        arrays = {name: np.full(shape, 0.5, np.float32) for name, shape in shapes.items()}
        return Reply(MessageType.INITIAL, request.round_number, arrays)

    def train(self, request: Request) -> Reply:
        self.seen.append(request)
        step = np.float32(self.step)
        arrays = {name: array + step for name, array in request.arrays.items()}
        metrics = {"num-examples": 2 * self.positives, "loss": 0.5, "accuracy": 0.75}
        return Reply(MessageType.TRAIN, request.round_number, arrays, metrics)

    def local(self, request: Request) -> Reply:
        self.seen.append(request)
        start = initial_head(self.settings.seed)
        arrays = {name: array + np.float32(3 * self.step) for name, array in start.items()}
        metrics = {**self._validation(request), "best-round": 1}
        metrics["train-examples"] = 2 * self.positives
        texts = {"start-sha256": digest(start)}
        return Reply(MessageType.LOCAL, request.round_number, arrays, metrics, texts)

    def evaluate(self, request: Request) -> Reply:
        self.seen.append(request)
        return Reply(MessageType.EVALUATE, request.round_number, {}, self._validation(request))

    def _validation(self, request: Request) -> dict[str, Metric]:
        counts = histogram(*self._scores(request))
        return {
            "num-examples": 16,
            "loss": 1.0 / (1 + request.round_number),
            "histogram.no_metastasis": counts[0].tolist(),
            "histogram.metastasis": counts[1].tolist(),
        }

    def external(self, request: Request) -> Reply:
        self.seen.append(request)
        metrics: dict[str, Metric] = {"tp": 7, "fn": 1, "tn": 6, "fp": 2, "overlays": 9}
        metrics |= {"auc": 0.9, "auc-low": 0.8, "auc-high": 0.99, "brier": 0.1}
        counts = histogram(*self._scores(request), edges_with(0.5))
        metrics |= {name: counts[row].tolist() for row, name in enumerate(COUNTS_NAMES)}
        metrics["histogram.edges"] = list(range(counts.shape[1] - 1))
        for place, _ in enumerate(request.compared, start=1):
            figures = {"auc": 0.8, "auc-low": 0.7, "auc-high": 0.9, "p": 0.04, "tp": 5, "fn": 3}
            figures |= {"difference": 0.1, "difference-low": 0.0, "difference-high": 0.2}
            figures |= {"tn": 8, "fp": 0}
            metrics |= {f"compared.{place}.{name}": value for name, value in figures.items()}
        texts = {"weights-sha256": digest(request.arrays)}
        texts["compared-sha256"] = ",".join(digest(arrays) for arrays in request.compared)
        return Reply(MessageType.EXTERNAL, request.round_number, {}, metrics, texts)

    def readers(self, request: Request) -> Reply:
        self.seen.append(request)
        if self.reader_metrics is None:
            raise EgressRefused("readers_not_finished", "a reader has not finished")
        texts = {"model-device": "cpu (1 thread)"}
        return Reply(MessageType.READERS, request.round_number, {}, self.reader_metrics, texts)

    def _scores(self, request: Request) -> tuple[np.ndarray, np.ndarray]:
        labels = np.repeat([False, True], 8)
        noise = np.linspace(-2, 2, 16)[[*range(0, 16, 2), *range(1, 16, 2)]]
        return noise + labels * 0.4 * request.round_number, labels


def fake_app(
    work: FakeWork,
    role: Role,
    folder: Path,
    *,
    policy: Policy | None = None,
    finished: Event | None = None,
) -> ClientApp:
    """Give the real client app and gate around a fake site; by default it hides nothing."""
    policy = policy or Policy(min_cell=1)
    audit = AuditLog(folder / f"{work.name}.audit.jsonl", lambda: TIME)
    asked = Asked(external_models=external_requests(policy, work.settings))
    gate = Gate(settings=work.settings, role=role, policy=policy, audit=audit, asked=asked)
    return make_app(work, gate, finished or Event())


class FakeLink:
    """Carries messages to client apps by calling them."""

    def __init__(self, apps: dict[str, ClientApp]) -> None:
        TaskIdentity.run_id, TaskIdentity.task_id, TaskIdentity.node_id = 1, 1, 1
        self._apps = apps
        self._replies: dict[str, Message] = {}
        self.sent: list[tuple[str, str]] = []
        self.recorded: list[Passage] = []
        self.change: Callable[[str, Message], Message | None] = lambda _site, reply: reply

    def online(self) -> frozenset[str]:
        return frozenset(self._apps)

    def connections(self, site: str) -> int:
        return 1

    def send(self, site: str, message_type: str, content: RecordDict, *, group: str) -> str:
        self.sent.append((site, message_type))
        message = Message(content, 2, message_type, group_id=group)
        reply = self.change(site, self._apps[site](message, Context(1, 2, {}, RecordDict(), {})))
        ticket = str(len(self.sent))
        if reply is not None:
            self._replies[ticket] = reply
        return ticket

    def receive(self, ticket: str) -> Message | None:
        return self._replies.pop(ticket, None)

    def drop(self, ticket: str) -> None:
        self._replies.pop(ticket, None)

    def record(self, passage: Passage) -> None:
        self.recorded.append(passage)


def backbone_arrays(seed: int = 0) -> dict[str, np.ndarray]:
    """Small random arrays of VGG16's shapes."""
    draw = np.random.default_rng(seed)
    return {n: draw.normal(0, 0.01, s).astype(np.float32) for n, s in backbone_shapes().items()}
