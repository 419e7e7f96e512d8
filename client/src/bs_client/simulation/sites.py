"""Sites in one process: scans read once, features computed once, shared by every study on them.

What works in a study is the site's own work behind its own gate; only the connection is left out.
"""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from flwr.clientapp import ClientApp

from bs_client.config import Compute, DataSettings, Policy, SiteFile, SiteFolder
from bs_client.data.cache import ArrayCache
from bs_client.data.dataset import Dataset
from bs_client.data.labels import Split
from bs_client.evaluation.auc import delong
from bs_client.evaluation.comparators import Compared, judge_beside
from bs_client.federation.session import open_app
from bs_client.federation.work import SiteWork
from bs_client.model.backbone import load_backbone
from bs_client.model.device import prepare_device
from bs_client.model.network import Margins, Network
from bs_client.simulation.cohorts import Cohorts, read_cohorts
from bs_client.training.features import Features
from bs_client.training.local import Trainer
from bs_common.audit import PASSED, AuditLog, Passage
from bs_common.bins import margin_of
from bs_common.contract import MessageType
from bs_common.joining import Invitation
from bs_common.metrics import confusion
from bs_common.settings import Role, StudySettings
from bs_common.simulation import (
    Difference,
    Judged,
    Machine,
    Model,
    Seat,
    SiteData,
    Steps,
)
from bs_common.weights import digest

# Nobody is dialled and nothing pinned: of an invitation, the work reads its site alone.
_NOWHERE = "in-process:0"
_EVER = datetime.datetime.min.replace(tzinfo=datetime.UTC)


@dataclass(frozen=True, slots=True)
class _SharedFolder(SiteFolder):
    """A site's folder whose cache lies elsewhere, shared with others."""

    shared_cache: Path

    @property
    def cache(self) -> Path:
        return self.shared_cache


class PooledSites:
    """Everybody's scans, and the one network that all of them use in turn.

    Parameters
    ----------
    settings : those of all studies but for their seed.
    """

    def __init__(self, cohorts: Cohorts, settings: StudySettings, machine: Machine) -> None:
        self._cohorts = cohorts
        self._settings = settings
        self._machine = machine
        self._device = prepare_device(machine.threads)
        self._backbone = load_backbone(settings.backbone, file=machine.backbone_file)
        self._network = Network(
            settings.trainable,
            rows=settings.view_height,
            columns=2 * settings.view_width,
            backbone=self._backbone,
        )
        self._trainer = Trainer(self._network, settings)

    @property
    def synthetic(self) -> bool:
        """Whether any scan says that it was made artificially."""
        return self._cohorts.synthetic

    @property
    def data_sha256(self) -> str:
        """Digest of all scans, labels and splits, with all that makes inputs of them."""
        parts = [self._cohorts.content(self._settings), digest(self._backbone)]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a reader of the results must know of the scans."""
        shared = self._cohorts.shared_patients(self._settings)
        if not shared:
            return ()
        return (
            f"Patient ids that stand at more than one site: {shared}. If they are the same people, "
            "training and evaluation are not independent.",
        )

    def compute_features(self, told: Steps) -> None:
        """Compute what the frozen part makes of every scan, so that nothing computes it again.

        Which scans train may differ from seed to seed, so all of a train site's are also flipped.
        """
        flips: dict[Role, tuple[bool, ...]] = {"train": (False, True), "evaluate": (False,)}
        pieces = [
            (self._cohorts.dataset((name,), self._settings), split, flips[cohort.data.role])
            for name, cohort in self._cohorts.by_site.items()
            for split in Split
        ]
        sizes = [len(dataset.of_split(split)) * len(needed) for dataset, split, needed in pieces]
        for number, (dataset, split, needed) in enumerate(pieces):
            progress = _from(sum(sizes[:number]), sum(sizes), told)
            self._features(dataset, split).prepare(flips=needed, progress=progress)

    def take_seat(self, seat: Seat, settings: StudySettings) -> ClientApp:
        """Give the client app that works in a study; apps may be called one at a time."""
        folder = _SharedFolder(seat.folder, self._machine.cache)
        folder.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        policy = Policy(min_cell=seat.min_cell)
        return open_app(
            folder,
            self._work(folder, seat, settings, policy),
            settings,
            role=seat.role,
            policy=policy,
            since=_EVER,
            finished=Event(),
        )

    def judge(self, seat: Seat, models: Sequence[Model]) -> list[Judged]:
        """Judge models on an evaluate seat's scans, each beside the first; the seat records it.

        Figures are exact: nothing leaves, so that nothing is hidden or rounded.
        """
        _record(seat, models)
        dataset = self._cohorts.dataset(seat.members, self._settings)
        labels = dataset.labels(Split.EXTERNAL)
        features = self._features(dataset, Split.EXTERNAL)
        margins = [self._score(features, model) for model in models]
        first = delong(margins[0], labels)
        # By margin, as in the external evaluation of a study.
        calls = confusion(margins[0] >= margin_of(models[0].threshold), labels)
        thresholds = [model.threshold for model in models[1:]]
        beside = judge_beside(margins[0], margins[1:], labels, thresholds=thresholds)
        return [Judged(first.auc, *first.interval(), calls, None), *map(_judged, beside)]

    def _score(self, features: Features, model: Model) -> Margins:
        self._network.set_arrays(model.arrays)
        return features.score_all()

    def _features(self, dataset: Dataset, split: Split) -> Features:
        return Features(
            dataset,
            split,
            network=self._network,
            cache=ArrayCache(self._machine.cache / "features"),
            backbone_sha256=digest(self._backbone),
        )

    def _work(
        self, folder: SiteFolder, seat: Seat, settings: StudySettings, policy: Policy
    ) -> SiteWork:
        first, machine = self._cohorts.by_site[seat.members[0]].data, self._machine
        return SiteWork(
            folder,
            SiteFile(
                data=DataSettings(scans=first.scans, labels=first.labels),
                policy=policy,
                compute=Compute(threads=machine.threads, backbone_file=machine.backbone_file),
            ),
            Invitation(
                address=_NOWHERE,
                ca_certificate="",
                site=seat.name,
                role=seat.role,
                settings=settings,
            ),
            self._cohorts.dataset(seat.members, settings),
            self._network,
            self._trainer,
            self._backbone,
            self._device,
        )


def open_sites(
    data: Sequence[SiteData], settings: StudySettings, machine: Machine, *, told: Steps
) -> PooledSites:
    """Read everybody's scans and compute the features of the frozen part, once for all studies.

    Raises
    ------
    DataError
        If labels are faulty, a site has no labelled scan, or a scan is at two sites.
    """
    images = ArrayCache(machine.cache / "images")
    cohorts = read_cohorts(data, settings, images, told=told)
    sites = PooledSites(cohorts, settings, machine)
    sites.compute_features(told)
    return sites


def _record(seat: Seat, models: Sequence[Model]) -> None:
    """Put into the seat's audit log which models are judged, before they are."""
    seat.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    digests = [digest(model.arrays) for model in models]
    AuditLog(SiteFolder(seat.folder).audit, lambda: datetime.datetime.now(datetime.UTC)).record(
        Passage(
            direction="local",
            message_type=MessageType.EXTERNAL.value,
            round_number=0,
            keys=tuple(f"model.{one}" for one in digests),
            size_bytes=0,
            content_sha256=hashlib.sha256(",".join(digests).encode()).hexdigest(),
            verdict=PASSED,
        )
    )


def _judged(compared: Compared) -> Judged:
    paired = compared.paired
    difference = Difference(paired.difference, *paired.interval(), paired.p_value)
    return Judged(paired.first.auc, *paired.first.interval(), compared.calls, difference)


def _from(before: int, total: int, told: Steps) -> Callable[[int, int], None]:
    def tell(done: int, _total: int) -> None:
        told("features", before + done, total)

    return tell
