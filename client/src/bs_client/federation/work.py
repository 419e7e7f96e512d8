"""What a site does when it is asked: each message type as one piece of work on its own scans."""

from __future__ import annotations

import logging
import platform
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version

import keras

from bs_client.config import SiteFile, SiteFolder
from bs_client.data.cache import ArrayCache
from bs_client.data.dataset import Dataset, load_dataset
from bs_client.data.labels import Split
from bs_client.data.sampling import balanced_epoch
from bs_client.evaluation.judgement import judge
from bs_client.federation.external_reply import external_metrics
from bs_client.federation.small_cells import merge_small_bins
from bs_client.model.backbone import load_backbone
from bs_client.model.device import prepare_device
from bs_client.model.network import Margins, Network
from bs_client.training.features import Features
from bs_client.training.local import Trainer
from bs_client.training.loss import cross_entropy
from bs_common.architecture import CLASSES, NamedArrays
from bs_common.contract import MessageType, reply_shapes
from bs_common.errors import DataError
from bs_common.joining import Invitation
from bs_common.messages import Metric, Reply, Request
from bs_common.metrics import histogram
from bs_common.settings import StudySettings
from bs_common.weights import digest

_log = logging.getLogger(__name__)


@dataclass
class SiteWork:
    """One site, ready to be asked.

    backbone : the frozen start of the network, whose digest every site must share.
    """

    folder: SiteFolder
    file: SiteFile
    invitation: Invitation
    dataset: Dataset
    network: Network
    trainer: Trainer
    backbone: NamedArrays
    device: str
    _features: dict[Split, Features] = field(default_factory=dict)

    def describe(self, request: Request) -> Reply:
        """Say what this site has and runs."""
        metrics: dict[str, Metric] = {
            f"{split}.{name}": int((self.dataset.labels(split) == bool(row)).sum())
            for split in Split
            for row, name in enumerate(CLASSES)
        }
        refused = self.dataset.intake.refused
        metrics |= {f"refused.{code}": count for code, count in refused.items()}
        metrics["synthetic"] = int(self.dataset.synthetic)
        metrics["min-cell"] = self.file.policy.min_cell
        backend = keras.backend.backend()
        texts = {
            "backbone-sha256": digest(self.backbone),
            "device": self.device,
            "version.bs-client": version("bs-client"),
            "version.python": platform.python_version(),
            "version.keras": keras.version(),
            "version.backend": f"{backend} {version(backend)}",
            "version.flwr": version("flwr"),
        }
        return Reply(MessageType.DESCRIBE, request.round_number, {}, metrics, texts)

    def initial(self, request: Request) -> Reply:
        """Give the backbone's trainable part."""
        names = reply_shapes(MessageType.INITIAL, self.dataset.settings)
        arrays = {name: self.backbone[name] for name in names}
        return Reply(MessageType.INITIAL, request.round_number, arrays)

    def train(self, request: Request) -> Reply:
        """Train the given weights on this site's balanced epochs."""
        labels = self.dataset.labels(Split.TRAIN)
        features = self._prepared(Split.TRAIN, flips=(False, True))
        outcome = self.trainer.train_round(
            request.arrays,
            labels=labels,
            activations_of=features.of,
            epoch_of=lambda epoch: balanced_epoch(
                labels,
                seed=self.dataset.settings.seed,
                site=self.invitation.site,
                round_number=request.round_number,
                epoch=epoch,
            ),
        )
        _log.info("round %d: loss %.4f", request.round_number, outcome.loss)
        metrics: dict[str, Metric] = {
            "num-examples": outcome.num_examples,
            "loss": outcome.loss,
            "accuracy": outcome.accuracy,
        }
        return Reply(MessageType.TRAIN, request.round_number, outcome.arrays, metrics)

    def evaluate(self, request: Request) -> Reply:
        """Validate the given weights: loss, and a histogram of the margins for each class."""
        labels = self.dataset.labels(Split.VALIDATION)
        margins = self._margins(Split.VALIDATION, request.arrays)
        counts = histogram(margins, labels)
        metrics: dict[str, Metric] = {
            "num-examples": len(labels),
            "loss": cross_entropy(margins, labels),
        }
        metrics |= merge_small_bins(counts, self.file.policy.min_cell).metrics()
        return Reply(MessageType.EVALUATE, request.round_number, {}, metrics)

    def external(self, request: Request) -> Reply:
        """Judge the finished model on the held-out scans; only aggregates are in the answer."""
        judgement = judge(
            self.dataset,
            self.dataset.of_split(Split.EXTERNAL),
            self._margins(Split.EXTERNAL, request.arrays),
            network=self.network,
            threshold=_threshold(request, self.dataset.settings),
            folder=self.folder.private,
            progress=_log_progress("maps"),
        )
        metrics = external_metrics(judgement, self.file.policy.min_cell)
        texts = {"weights-sha256": digest(request.arrays)}
        return Reply(MessageType.EXTERNAL, request.round_number, {}, metrics, texts)

    def _margins(self, split: Split, arrays: NamedArrays) -> Margins:
        if not self.dataset.of_split(split):
            raise DataError(
                f"There is no {split} scan at this site.",
                remedy="Give some scans this split in the labels file.",
            )
        self.network.set_arrays(arrays)
        return self._prepared(split, flips=(False,)).score_all()

    def _prepared(self, split: Split, *, flips: tuple[bool, ...]) -> Features:
        if split not in self._features:
            features = Features(
                self.dataset,
                split,
                network=self.network,
                cache=ArrayCache(self.folder.cache / "features"),
                backbone_sha256=digest(self.backbone),
            )
            features.prepare(flips=flips, progress=_log_progress(f"{split} features"))
            self._features[split] = features
        return self._features[split]


def open_site(folder: SiteFolder) -> SiteWork:
    """Read a site's folder and scans and build the network: everything before connecting."""
    file, invitation = folder.read(), folder.read_invitation()
    settings = invitation.settings
    device = prepare_device(file.compute.threads)
    _log.info("computing on %s", device)
    dataset = load_dataset(
        file.data.scans,
        file.data.labels,
        settings=settings,
        ingest=file.ingest,
        role=invitation.role,
        site=invitation.site,
        cache=folder.cache,
        progress=_log_progress("scans"),
    )
    backbone = load_backbone(settings.backbone, file=file.compute.backbone_file)
    network = Network(
        settings.trainable,
        rows=settings.view_height,
        columns=2 * settings.view_width,
        backbone=backbone,
    )
    return SiteWork(
        folder, file, invitation, dataset, network, Trainer(network, settings), backbone, device
    )


def _threshold(request: Request, settings: StudySettings) -> float:
    chosen = request.numbers.get("threshold")
    return chosen if isinstance(chosen, float) else settings.threshold


def _log_progress(what: str) -> Callable[[int, int], None]:
    """Say every tenth of a long piece of work in the log."""
    said = -1

    def report(done: int, total: int) -> None:
        nonlocal said
        tenth = 10 * done // max(total, 1)
        if tenth != said:
            said = tenth
            _log.info("%s: %d of %d", what, done, total)

    return report
