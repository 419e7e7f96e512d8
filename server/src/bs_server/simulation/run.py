"""Running every seed's studies in this process, then judging their frozen models side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from bs_common.audit import AuditLog
from bs_common.errors import ConfigError
from bs_common.joining import Sha256
from bs_common.keys import public_pem
from bs_common.settings import StudySettings
from bs_common.simulation import App, Judged, Model, Seat, Sites
from bs_common.weights import digest
from bs_server.config import ServerSettings, StudyFile, StudyFolder
from bs_server.evaluation.question import Question
from bs_server.federation.attendance import Told
from bs_server.results.comparison import AucDifference, Comparison, ComparisonRow
from bs_server.results.summary import RoundSummary, Summary, write_summary
from bs_server.simulation.link import InProcessLink
from bs_server.simulation.plan import Comparator, SimulationFile, comparators
from bs_server.storage.checkpoint import Checkpoints
from bs_server.storage.documents import Document, read_state, write_state
from bs_server.storage.history import Clock
from bs_server.study import Study, StudyRun
from bs_server.trust.signed_register import Register, RegisteredSite

_ADDRESS = "in-process:0"  # nobody listens, and nobody is told


class InputsFile(Document):
    """What a simulation's folder holds results of; other inputs belong into another folder."""

    settings_sha256: Sha256
    data_sha256: Sha256


@dataclass(frozen=True, slots=True)
class Trained:
    """A finished study of one comparator; its model lies frozen on disk."""

    comparator: Comparator
    folder: StudyFolder
    summary: Summary

    @property
    def settings(self) -> StudySettings:
        """What the study was run with, its seed among it."""
        return self.summary.settings

    @property
    def best(self) -> RoundSummary:
        """The round whose weights are the model."""
        return next(one for one in self.summary.rounds if one.round == self.summary.best_round)

    def model(self) -> Model:
        """Read the model."""
        arrays = Checkpoints(self.folder.rounds, self.settings.trainable).weights(self.best)
        question = Question(self.best.round, arrays, self.best.threshold, self.settings)
        return Model(arrays, question.threshold)


@dataclass(frozen=True, slots=True)
class Result:
    """Every model beside the federated one of its seed, and each seed's federated study."""

    comparison: Comparison
    studies: list[Summary]


@dataclass(frozen=True, slots=True)
class Simulation:
    """Everything that is run of one simulation.

    told : hears every event of every study, with `seed` and `comparator`.
    """

    folder: Path
    file: SimulationFile
    sites: Sites
    clock: Clock
    told: Told

    def compare(self, seeds: Sequence[int]) -> Result:
        """Run, or go on with, every study of these seeds, then judge their models.

        No scan of an evaluate site is judged before all models are frozen. The same inputs give
        the same comparison.
        """
        self._require_same_inputs()
        trained = [self._train_all(seed) for seed in seeds]
        rows = [
            row
            for models in trained
            for site in self.file.names("evaluate")
            for row in self._judge(site, models)
        ]
        return Result(
            Comparison(rows=rows, synthetic=self.sites.synthetic),
            [models[0].summary for models in trained],
        )

    def _train_all(self, seed: int) -> list[Trained]:
        settings = self.file.study.model_copy(update={"seed": seed})
        studies = comparators(self.file.names("train"))
        return [self._train(comparator, settings) for comparator in studies]

    def _judge(self, site: str, trained: Sequence[Trained]) -> list[ComparisonRow]:
        models = [each.model() for each in trained]
        settings = trained[0].settings
        folder = self._folder_of(settings) / site
        judged = self.sites.judge(
            Seat(site, "evaluate", (site,), folder, settings.min_cell), models
        )
        return [
            _row(each, model, site, figures)
            for each, model, figures in zip(trained, models, judged, strict=True)
        ]

    def _require_same_inputs(self) -> None:
        path = self.folder / "inputs.json"
        inputs = InputsFile(
            version=1,
            settings_sha256=self.file.study.digest(),
            data_sha256=self.sites.data_sha256,
        )
        if not path.exists():
            write_state(path, inputs)
        if read_state(path, InputsFile) != inputs:
            raise ConfigError(
                f"{self.folder} holds a simulation of other settings or scans.",
                remedy="Choose another folder: bs-server simulate --folder DIR",
            )

    def _train(self, comparator: Comparator, settings: StudySettings) -> Trained:
        """Run one study to its end, as `bs-server run` does, without an evaluate site."""
        root = self._folder_of(settings) / comparator.name
        folder = StudyFolder(root / "coordinator")
        folder.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = StudyFile(study=settings, server=ServerSettings(address=_ADDRESS))
        apps = {
            name: self._app(name, members, root, settings)
            for name, members in comparator.sites.items()
        }

        def told(event: str, **facts: object) -> None:
            self.told(event, seed=settings.seed, comparator=comparator.name, **facts)

        run = StudyRun(
            Study(folder, file, _register(comparator)),
            InProcessLink(apps, AuditLog(folder.audit, self.clock)),
            told,
            clock=self.clock,
        )
        summary = run.summary()
        write_summary(folder.summary, summary)
        run.goodbye()
        trained = Trained(comparator, folder, summary)
        told("finished", round=trained.best.round, validation_auc=trained.best.pooled_auc)
        return trained

    def _folder_of(self, settings: StudySettings) -> Path:
        return self.folder / f"seed-{settings.seed}"

    def _app(self, name: str, members: tuple[str, ...], root: Path, settings: StudySettings) -> App:
        seat = Seat(name, "train", members, root / name, settings.min_cell)
        return self.sites.take_seat(seat, settings)


def _register(comparator: Comparator) -> Register:
    """Give the sites keys whose private halves nobody keeps: nothing here is signed."""
    return Register(
        sites={
            name: RegisteredSite(
                role="train",
                public_key=public_pem(ec.generate_private_key(ec.SECP256R1()).public_key()),
            )
            for name in comparator.sites
        }
    )


def _row(trained: Trained, model: Model, evaluate_site: str, judged: Judged) -> ComparisonRow:
    difference, table = judged.difference, judged.table
    return ComparisonRow(
        model=trained.comparator.kind,
        site=trained.comparator.site,
        seed=trained.settings.seed,
        evaluate_site=evaluate_site,
        weights_sha256=digest(model.arrays),
        best_round=trained.best.round,
        validation_auc=trained.best.pooled_auc,
        auc=judged.auc,
        auc_low=judged.low,
        auc_high=judged.high,
        difference=None
        if difference is None
        else AucDifference(
            value=difference.value, low=difference.low, high=difference.high, p=difference.p
        ),
        threshold=model.threshold,
        tp=table.tp,
        fn=table.fn,
        tn=table.tn,
        fp=table.fp,
    )
