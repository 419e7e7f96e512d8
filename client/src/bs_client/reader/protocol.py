"""What a reader study agreed on before the first case was read, as one small file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from bs_common.settings import Name

Scale = Literal["percent", "five_levels"]


class Stage(StrEnum):
    """Which answer of a reading: before the model's result is shown, or after."""

    UNAIDED = "unaided"
    AIDED = "aided"


FIVE_LEVELS = (
    "definitely no metastasis",
    "probably no metastasis",
    "equivocal",
    "probably metastasis",
    "definitely metastasis",
)


class Protocol(BaseModel):
    """Settings of one reader study; they never change once the study is made."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    name: Name
    seed: Annotated[int, Field(ge=0)]
    readers: Annotated[int, Field(ge=1, le=99)]
    cases_with: Annotated[int, Field(ge=1)]  # scans with metastasis
    cases_without: Annotated[int, Field(ge=1)]
    # Read first by everybody and left out of the analysis, to learn the page and the scale.
    practice: Annotated[int, Field(ge=0)] = 4
    # 0-100 makes a finer ROC curve; the five levels of the classic rating method are quicker.
    scale: Scale = "percent"
    # Two sessions without the model repeat the reading; with it, every case is read in both arms.
    sessions: Literal[1, 2] = 1
    # Four weeks is the usual distance after which a reader no longer remembers a scan.
    washout_days: Annotated[int, Field(ge=0, le=365)] = 28
    # Whether the model's probability and map are shown, always after the unaided answer.
    with_ai: bool = False
    # The image is hidden after this time; the reader then answers from memory. None: no limit.
    time_limit_s: Annotated[int, Field(ge=5)] | None = None
    # Without mouse or keyboard for so long, a reader is thought to be away.
    idle_cutoff_s: Annotated[int, Field(ge=10)] = 60
    # Whether the last case may be opened again; each time is recorded, and both answers are kept.
    allow_back: bool = False
    synthetic: bool = False

    @model_validator(mode="after")
    def _refuse_changing_unaided_answers(self) -> Protocol:
        if self.allow_back and self.with_ai:
            raise ValueError("a reader who goes back has seen the model's result already")
        return self

    @property
    def highest_score(self) -> int:
        """Last value of the scale; the first is `lowest_score`."""
        return 100 if self.scale == "percent" else len(FIVE_LEVELS)

    @property
    def lowest_score(self) -> int:
        """First value of the scale."""
        return 0 if self.scale == "percent" else 1

    @property
    def reader_names(self) -> tuple[str, ...]:
        """R1, R2, ...; who stands behind a name is written down elsewhere, by the study's lead."""
        return tuple(f"R{number}" for number in range(1, self.readers + 1))

    def sha256(self) -> str:
        """Digest that stands in every export, so that tables and protocol can be matched."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class ReaderStudyFolder:
    """Paths of one reader study; all of it stays at the site, readable by its owner alone."""

    path: Path

    @property
    def protocol(self) -> Path:
        """What was agreed."""
        return self.path / "protocol.json"

    @property
    def database(self) -> Path:
        """Orders, links, answers and times. It holds no label and no study's name."""
        return self.path / "study.sqlite"

    @property
    def images(self) -> Path:
        """The counts of every case, under its code."""
        return self.path / "cases"

    @property
    def maps(self) -> Path:
        """The model's maps, where readers see them."""
        return self.path / "maps"

    @property
    def key(self) -> Path:
        """Who is who: code, study, label, model's probability. The page never opens it."""
        return self.path / "key.csv"

    @property
    def site(self) -> Path:
        """Where the site is that the scans were drawn from; missing if they are no site's."""
        return self.path / "site.txt"

    @property
    def model_time(self) -> Path:
        """How long the model takes for a scan, where its results said so."""
        return self.path / "model-time.json"

    @property
    def export(self) -> Path:
        """Tables of a finished study."""
        return self.path / "export"

    @property
    def analysis(self) -> Path:
        """The comparison as a page, with its figures."""
        return self.path / "analysis"
