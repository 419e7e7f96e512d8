"""Sites in one process: scans read once, features computed once, shared by every study on them.

What works in a study is the site's own work behind its own gate; only the connection is left out.
"""

from __future__ import annotations

import datetime
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event

from flwr.clientapp import ClientApp

from bs_client.config import Compute, DataSettings, Policy, SiteFile, SiteFolder
from bs_client.data.cache import ArrayCache
from bs_client.data.dataset import Dataset, Intake, known_files, label_scans, take_in
from bs_client.data.labels import LabelTable, Split, read_labels
from bs_client.data.manifest import Entry
from bs_client.dicom.settings import IngestSettings
from bs_client.evaluation.auc import delong
from bs_client.evaluation.comparators import Compared, judge_beside
from bs_client.federation.session import open_app
from bs_client.federation.work import SiteWork
from bs_client.model.backbone import load_backbone
from bs_client.model.device import prepare_device
from bs_client.model.network import Margins, Network
from bs_client.training.features import Features
from bs_client.training.local import Trainer
from bs_common.audit import PASSED, AuditLog, Passage
from bs_common.bins import margin_of
from bs_common.contract import MessageType
from bs_common.errors import DataError
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


@dataclass(frozen=True, slots=True)
class _Cohort:
    """One site's scans and labels, read once."""

    data: SiteData
    table: LabelTable
    intake: Intake
    ingest: IngestSettings

    def entries(self, settings: StudySettings) -> tuple[Entry, ...]:
        """Give the labelled scans, split as this site alone would with these settings."""
        name, role = self.data.name, self.data.role
        return label_scans(self.intake, self.table, settings=settings, role=role, site=name)


class PooledSites:
    """Everybody's scans, and the one network that all of them use in turn.

    Parameters
    ----------
    settings : those of all studies but for their seed.
    """

    def __init__(
        self, cohorts: Mapping[str, _Cohort], settings: StudySettings, machine: Machine
    ) -> None:
        self._cohorts = cohorts
        self._settings = settings
        self._machine = machine
        self._entries = {name: cohort.entries(settings) for name, cohort in cohorts.items()}
        _refuse_scans_at_two_sites(self._entries.values())
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
        return any(
            scan.synthetic
            for cohort in self._cohorts.values()
            for scan in cohort.intake.scans.values()
        )

    @property
    def data_sha256(self) -> str:
        """Digest of all scans, labels and splits, with all that makes inputs of them."""
        sites = [
            (
                name,
                self._cohorts[name].data.role,
                self._cohorts[name].ingest.model_dump(mode="json"),
                [(entry.pixel_sha256, entry.label, str(entry.split)) for entry in entries],
            )
            for name, entries in sorted(self._entries.items())
        ]
        return hashlib.sha256(json.dumps([sites, digest(self._backbone)]).encode()).hexdigest()

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a reader of the results must know of the scans."""
        shared = _at_two_sites(
            {entry.patient_id for entry in entries} for entries in self._entries.values()
        )
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
        total = sum(
            len(entries) * len(flips[self._cohorts[name].data.role])
            for name, entries in self._entries.items()
        )
        done = 0
        for name, cohort in self._cohorts.items():
            dataset = self._dataset((name,), self._settings)
            for split in Split:
                needed = flips[cohort.data.role]
                progress = _from(done, total, told)
                self._features(dataset, split).prepare(flips=needed, progress=progress)
                done += len(dataset.of_split(split)) * len(needed)

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
        dataset = self._dataset(seat.members, self._settings)
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
        first, machine = self._cohorts[seat.members[0]].data, self._machine
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
            self._dataset(seat.members, settings),
            self._network,
            self._trainer,
            self._backbone,
            self._device,
        )

    def _dataset(self, members: Sequence[str], settings: StudySettings) -> Dataset:
        """Give the members' scans as one site's, each in the split that its own site gives it."""
        cohorts = [self._cohorts[name] for name in members]
        entries = [entry for cohort in cohorts for entry in cohort.entries(settings)]
        scans = {uid: scan for cohort in cohorts for uid, scan in cohort.intake.scans.items()}
        refused = sum((Counter(cohort.intake.refused) for cohort in cohorts), Counter[str]())
        return Dataset(
            tuple(sorted(entries, key=lambda entry: entry.study_uid)),
            Intake(scans, dict(sorted(refused.items()))),
            ArrayCache(self._machine.cache / "images"),
            settings,
            cohorts[0].ingest,
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
    cohorts: dict[str, _Cohort] = {}
    for site in data:
        table = read_labels(site.labels)
        ingest = IngestSettings.model_validate(dict(site.ingest))
        intake = take_in(
            site.scans,
            ingest=ingest,
            settings=settings,
            images=images,
            known=known_files(site.labels, table),
            progress=partial(told, f"scans of {site.name}"),
        )
        cohorts[site.name] = _Cohort(site, table, intake, ingest)
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


def _refuse_scans_at_two_sites(sites: Iterable[Sequence[Entry]]) -> None:
    by_site = list(sites)
    shared = max(
        _at_two_sites({entry.pixel_sha256 for entry in entries} for entries in by_site),
        _at_two_sites({entry.study_uid for entry in entries} for entries in by_site),
    )
    if shared:
        raise DataError(
            f"Labelled scans that are at more than one site: {shared}, expected 0.",
            remedy="Keep each scan at one site: a model is not to be judged on what it has seen.",
        )


def _at_two_sites(found: Iterable[set[str]]) -> int:
    """Count what stands in two of the sets or more."""
    return sum(count > 1 for count in Counter(one for names in found for one in names).values())


def _from(before: int, total: int, told: Steps) -> Callable[[int, int], None]:
    def tell(done: int, _total: int) -> None:
        told("features", before + done, total)

    return tell
