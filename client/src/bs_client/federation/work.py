"""What a site does when it is asked: each message type as one piece of work on its own scans."""

from __future__ import annotations

import hashlib
import json
import logging
import platform
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import version

import keras

from bs_client.config import SiteFile, SiteFolder
from bs_client.data.cache import ArrayCache
from bs_client.data.cohort import count_cells
from bs_client.data.dataset import Dataset, load_dataset
from bs_client.data.labels import Split
from bs_client.data.sampling import balanced_epoch
from bs_client.dicom.codes import Refusal
from bs_client.evaluation.comparators import judge_beside
from bs_client.evaluation.inference_time import measure_inference, write_inference_time
from bs_client.evaluation.judgement import judge
from bs_client.federation.activity import Activity
from bs_client.federation.external_reply import compared_metrics, external_metrics
from bs_client.federation.policy import smallest_count
from bs_client.federation.readers_reply import readers_reply
from bs_client.federation.small_cells import merge_small_bins
from bs_client.model.backbone import load_backbone
from bs_client.model.device import prepare_device
from bs_client.model.network import Margins, Network
from bs_client.reader.site_report import show_readers
from bs_client.training.alone import train_alone
from bs_client.training.draft import Draft, question_of
from bs_client.training.features import Features
from bs_client.training.local import Trainer, TrainOutcome
from bs_client.training.loss import cross_entropy
from bs_common.architecture import NamedArrays, array_shapes, initial_head
from bs_common.best_round import deciding_auc
from bs_common.bins import bins_from_metrics, bracket_auc
from bs_common.contract import MessageType, Phase, reply_shapes
from bs_common.errors import DataError
from bs_common.joining import Invitation
from bs_common.messages import Metric, Reply, Request
from bs_common.metrics import ClassTooSmall, histogram
from bs_common.settings import StudySettings
from bs_common.weights import digest

_log = logging.getLogger(__name__)


@dataclass
class SiteWork:
    """One site, ready to be asked.

    backbone : the frozen start of the network, whose digest every site must share.
    activity : told every step of the work; ends it where that is wished.
    """

    folder: SiteFolder
    file: SiteFile
    invitation: Invitation
    dataset: Dataset
    network: Network
    trainer: Trainer
    backbone: NamedArrays
    device: str
    activity: Activity = field(default_factory=Activity)
    _features: dict[Split, Features] = field(default_factory=dict)

    @property
    def min_cell(self) -> int:
        """Smallest count that leaves this site in this study."""
        return smallest_count(self.file.policy, self.dataset.settings)

    @cached_property
    def data_sha256(self) -> str:
        """Digest of scans, labels and splits in manifest order, with all that makes inputs."""
        ingest = self.file.ingest.model_dump(mode="json")
        entries = [(e.pixel_sha256, e.label, str(e.split)) for e in self.dataset.entries]
        parts = [entries, ingest, digest(self.backbone)]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def describe(self, request: Request) -> Reply:
        """Say what this site has and runs."""
        metrics: dict[str, Metric] = dict(count_cells(self.dataset.entries))
        refused = self.dataset.intake.refused
        metrics |= {f"refused.{code}": count for code, count in refused.items()}
        metrics["synthetic"] = int(self.dataset.synthetic)
        metrics["min-cell"] = self.min_cell
        if self.invitation.role == "evaluate":
            metrics["external-models"] = self.file.policy.external_models
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
        outcome = self._train_round(request.round_number, request.arrays)
        metrics: dict[str, Metric] = {
            "num-examples": outcome.num_examples,
            "loss": outcome.loss,
            "accuracy": outcome.accuracy,
        }
        return Reply(MessageType.TRAIN, request.round_number, outcome.arrays, metrics)

    def local(self, request: Request) -> Reply:
        """Train a model from this site's scans alone, from the weights the study starts with."""
        settings = self.dataset.settings
        start = self._start()
        question = self._question(MessageType.LOCAL, start)
        model = train_alone(
            start,
            rounds=settings.rounds,
            train_round=lambda number, arrays: self._train_round(number, arrays).arrays,
            validate=self._figures,
            draft=Draft(self.folder.local_draft, question, every_s=0),
        )
        metrics: dict[str, Metric] = {
            "best-round": model.round,
            "train-examples": 2 * int(self.dataset.labels(Split.TRAIN).sum()),
        }
        metrics |= self._validation_metrics(model.arrays)
        texts = {"start-sha256": digest(start)}
        return Reply(MessageType.LOCAL, request.round_number, model.arrays, metrics, texts)

    def evaluate(self, request: Request) -> Reply:
        """Validate the given weights: loss, and a histogram of the margins for each class."""
        metrics = self._validation_metrics(request.arrays)
        return Reply(MessageType.EVALUATE, request.round_number, {}, metrics)

    def external(self, request: Request) -> Reply:
        """Judge the finished model on the held-out scans; only aggregates are in the answer.

        A scan that is no longer what was described is counted by a code; the rest is judged.
        Further models are judged beside the study's, each at its own threshold.
        """
        dataset = self.dataset.still_there(Split.EXTERNAL)
        entries = dataset.of_split(Split.EXTERNAL)
        vanished = len(self.dataset.of_split(Split.EXTERNAL)) - len(entries)
        features = self._compute(dataset, Split.EXTERNAL)
        others = [self._margins(Split.EXTERNAL, features, arrays) for arrays in request.compared]
        # Last, for the maps are those of the weights in place.
        margins = self._margins(Split.EXTERNAL, features, request.arrays)
        judgement = judge(
            dataset,
            entries,
            margins,
            network=self.network,
            threshold=_threshold(request, self.dataset.settings),
            folder=self.folder.private,
            progress=self.activity.steps(Phase.DRAWING, "maps"),
        )
        measured = measure_inference(dataset, entries, self.network, device=self.device)
        write_inference_time(self.folder.private, measured)
        show_readers(self.folder)
        metrics = external_metrics(judgement, self.min_cell)
        labels = dataset.labels(Split.EXTERNAL)
        thresholds = _thresholds_beside(request)
        metrics |= compared_metrics(judge_beside(margins, others, labels, thresholds=thresholds))
        if vanished:
            metrics[f"refused.{Refusal.E_VANISHED}"] = vanished
        texts = {
            "weights-sha256": digest(request.arrays),
            "compared-sha256": ",".join(digest(arrays) for arrays in request.compared),
        }
        return Reply(MessageType.EXTERNAL, request.round_number, {}, metrics, texts)

    def _train_round(self, number: int, arrays: NamedArrays) -> TrainOutcome:
        labels = self.dataset.labels(Split.TRAIN)
        features = self._prepared(Split.TRAIN, flips=(False, True))
        outcome = self.trainer.train_round(
            arrays,
            labels=labels,
            activations_of=features.of,
            epoch_of=lambda epoch: balanced_epoch(
                labels,
                seed=self.dataset.settings.seed,
                site=self.invitation.site,
                round_number=number,
                epoch=epoch,
            ),
            draft=self._draft(number, arrays),
            progress=self.activity.steps(Phase.TRAINING, "training steps"),
        )
        _log.info("round %d: loss %.4f", number, outcome.loss)
        return outcome

    def _start(self) -> NamedArrays:
        """Give the weights that the study starts with; the backbone is the same at every site."""
        known = initial_head(self.dataset.settings.seed) | self.backbone
        return {name: known[name] for name in array_shapes(self.dataset.settings.trainable)}

    def _validation_metrics(self, arrays: NamedArrays) -> dict[str, Metric]:
        labels = self.dataset.labels(Split.VALIDATION)
        margins = self._margins(Split.VALIDATION, self._prepared(Split.VALIDATION), arrays)
        metrics: dict[str, Metric] = {
            "num-examples": len(labels),
            "loss": cross_entropy(margins, labels),
        }
        return metrics | merge_small_bins(histogram(margins, labels), self.min_cell).metrics()

    def _figures(self, arrays: NamedArrays) -> tuple[float | None, float]:
        """Give AUC and loss of some weights as a coordinator of this site alone would have them."""
        metrics = self._validation_metrics(arrays)
        loss, bins = metrics["loss"], bins_from_metrics(metrics)
        assert isinstance(loss, float)  # noqa: S101 - cross_entropy gave it
        if bins is None:
            return None, loss
        try:
            return deciding_auc(*bracket_auc([bins])), loss
        except ClassTooSmall:
            return None, loss

    def readers(self, request: Request) -> Reply:
        """Give the aggregates of the site's reader study, once all its readers have finished."""
        return readers_reply(
            self.folder,
            request,
            single_readers=self.file.policy.single_readers,
            min_cell=self.min_cell,
        )

    def _margins(self, split: Split, features: Features, arrays: NamedArrays) -> Margins:
        self.network.set_arrays(arrays)
        return features.score_all(self.activity.steps(Phase.SCORING, f"{split} scores"))

    def _prepared(self, split: Split, *, flips: tuple[bool, ...] = (False,)) -> Features:
        if split not in self._features:
            self._features[split] = self._compute(self.dataset, split, flips=flips)
        return self._features[split]

    def _compute(
        self, dataset: Dataset, split: Split, *, flips: tuple[bool, ...] = (False,)
    ) -> Features:
        if not dataset.of_split(split):
            raise DataError(
                f"There is no {split} scan at this site.",
                remedy="Give some scans this split in the labels file.",
            )
        features = Features(
            dataset,
            split,
            network=self.network,
            cache=ArrayCache(self.folder.cache / "features"),
            backbone_sha256=digest(self.backbone),
        )
        tell = self.activity.steps(Phase.FEATURES, f"{split} features")
        features.prepare(flips=flips, progress=tell)
        return features

    def _draft(self, number: int, arrays: NamedArrays) -> Draft:
        question = self._question(number, arrays)
        return Draft(self.folder.draft, question, every_s=self.file.compute.checkpoint_s)

    def _question(self, what: int | MessageType, arrays: NamedArrays) -> str:
        """Name a training, of a round or of all of them, by all that decides its result."""
        return question_of(
            what,
            digest(arrays),
            self.dataset.settings.digest(),
            self.data_sha256,
            keras.version(),
        )


def open_site(folder: SiteFolder, activity: Activity | None = None) -> SiteWork:
    """Read a site's folder and scans and build the network: everything before connecting."""
    activity = activity or Activity()
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
        progress=activity.steps(Phase.READING, "scans"),
    )
    backbone = load_backbone(settings.backbone, file=file.compute.backbone_file)
    network = Network(
        settings.trainable,
        rows=settings.view_height,
        columns=2 * settings.view_width,
        backbone=backbone,
    )
    activity.end()
    trainer = Trainer(network, settings)
    return SiteWork(folder, file, invitation, dataset, network, trainer, backbone, device, activity)


def _threshold(request: Request, settings: StudySettings) -> float:
    chosen = request.numbers.get("threshold")
    return chosen if isinstance(chosen, float) else settings.threshold


def _thresholds_beside(request: Request) -> list[float]:
    """Give the thresholds of the further models, in the order of their weights."""
    chosen = request.numbers.get("compared-thresholds", [])
    return [float(value) for value in chosen] if isinstance(chosen, list) else []
