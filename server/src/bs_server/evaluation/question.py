"""What the evaluate sites are asked, once, and what they answered, as it lies on disk.

What is asked is written down before it is sent, so that another model is never put to the held-out
scans, whatever happens in between.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from pydantic import Field

from bs_common.architecture import NamedArrays
from bs_common.contract import MessageType
from bs_common.errors import TrustError
from bs_common.messages import Metric, Request
from bs_common.settings import StudySettings
from bs_common.weights import digest
from bs_server.config import StudyFolder
from bs_server.evaluation.compared import Beside
from bs_server.results.comparison import ComparisonRow
from bs_server.results.external_values import Sha256
from bs_server.results.summary import ExternalSummary
from bs_server.storage.documents import Document, read_state, write_state
from bs_server.storage.frozen import FrozenModel


@dataclass(frozen=True, slots=True)
class Question:
    """What the evaluate sites are asked to judge.

    chosen : probability that the study's rule chose on validation scans; None where it chose
        nothing, and the settings' own is taken.
    beside : further models that are judged on the same scans, each at its own threshold.
    """

    round_number: int
    arrays: NamedArrays
    chosen: float | None
    settings: StudySettings
    beside: tuple[Beside, ...] = ()

    @property
    def threshold(self) -> float:
        """Probability from which a scan is called positive."""
        return self.settings.threshold if self.chosen is None else self.chosen

    @property
    def rule(self) -> str:
        """How the threshold came about."""
        return "fixed" if self.chosen is None else self.settings.threshold_rule

    def request(self) -> Request:
        """Put all models into the one request."""
        numbers: dict[str, Metric] = {"threshold": self.threshold}
        if self.beside:
            numbers["compared-thresholds"] = [one.model.threshold for one in self.beside]
        further = tuple(one.arrays for one in self.beside)
        return Request(MessageType.EXTERNAL, self.round_number, self.arrays, numbers, further)


class AskedFile(Document):
    """What the evaluate sites were, or were about to be, asked about.

    alone : sites that are asked about the study's model without those beside it.
    """

    round: int
    weights_sha256: Sha256
    threshold: float
    beside: list[FrozenModel] = Field(default_factory=list)
    alone: list[str] = Field(default_factory=list)


class ExternalFile(Document):
    """Each site's answer, as it lies on disk, and its rows on the models beside the study's."""

    by_site: dict[str, ExternalSummary]
    compared: dict[str, list[ComparisonRow]] = Field(default_factory=dict)


def answered(folder: StudyFolder) -> dict[str, ExternalSummary]:
    """Give the answers that are on disk, by site."""
    return dict(_answers(folder).by_site)


def compared(folder: StudyFolder) -> dict[str, list[ComparisonRow]]:
    """Give the rows that are on disk, by the evaluate site that compared models."""
    return dict(_answers(folder).compared)


def keep_answers(
    folder: StudyFolder,
    found: Mapping[str, ExternalSummary],
    rows: Mapping[str, list[ComparisonRow]],
) -> None:
    """Add answers to those on disk."""
    known = _answers(folder)
    by_site = dict(sorted(({**known.by_site, **found}).items()))
    kept = ExternalFile(version=1, by_site=by_site, compared={**known.compared, **rows})
    write_state(folder.external, kept)


def _answers(folder: StudyFolder) -> ExternalFile:
    if not folder.external.exists():
        return ExternalFile(version=1, by_site={})
    return read_state(folder.external, ExternalFile)


def write_down(
    folder: StudyFolder, question: Question, sites: tuple[str, ...], alone: Collection[str]
) -> AskedFile:
    """Keep what is about to be asked, or find that it is what was asked before.

    A site that was asked about the study's model alone stays one, also where its policy was
    widened since: it lets no second question in.

    Raises TrustError if it was another question.
    """
    asked = AskedFile(
        version=1,
        round=question.round_number,
        weights_sha256=digest(question.arrays),
        threshold=question.threshold,
        beside=[one.model for one in question.beside],
        alone=sorted(alone),
    )
    if not folder.external_asked.exists():
        write_state(folder.external_asked, asked)
    before = read_state(folder.external_asked, AskedFile)
    if before != asked.model_copy(update={"alone": before.alone}):
        verb = "was" if len(sites) == 1 else "were"
        raise TrustError(
            f"{', '.join(sites)} {verb} asked about round {before.round} "
            f"({before.weights_sha256[:12]}, threshold {before.threshold:.4f}) already; now round "
            f"{asked.round} ({asked.weights_sha256[:12]}, threshold {asked.threshold:.4f}) would "
            f"be put to the held-out scans{_beside(asked)}.",
            remedy="A held-out cohort judges one model. Find out what changed the choice: the "
            "rounds on disk, or 'candidates' in study.toml.",
        )
    return before


def _beside(asked: AskedFile) -> str:
    sites = ", ".join(model.site for model in asked.beside)
    return f", beside the models of {sites} alone" if sites else ""
