"""Small reader studies: made once for each setting, copied for each test."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bs_client.check.source import open_source
from bs_client.reader.command import Wishes, make_reader_study
from bs_client.reader.open_study import open_study
from bs_client.reader.protocol import ReaderStudyFolder
from support.predictions import write_predictions
from support.reading_visitors import Clock, MakeStudy, Study

USUAL = {
    "name": "trial",
    "seed": 3,
    "readers": 2,
    "cases_with": 2,
    "cases_without": 2,
    "practice": 1,
    "scale": "percent",
    "sessions": 1,
    "washout_days": 28,
    "with_ai": False,
    "time_limit_s": None,
    "idle_cutoff_s": 60,
    "allow_back": False,
}


@pytest.fixture(scope="session")
def predicted(cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with results of a model for every scan of the cohort."""
    folder = tmp_path_factory.mktemp("predicted")
    write_predictions(folder, cohort / "labels.csv")
    return folder


@pytest.fixture(scope="session")
def made_studies() -> dict[str, Path]:
    return {}


@pytest.fixture
def make_study(
    cohort: Path,
    predicted: Path,
    made_studies: dict[str, Path],
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> MakeStudy:
    """Make a study with some settings of its own; one with the same settings is copied."""

    def make(*, with_model: bool = False, **settings: object) -> Study:
        wishes = {**USUAL, **settings}
        model = predicted if with_model or wishes["with_ai"] else None
        name = str(sorted((key, str(value)) for key, value in {**wishes, "m": model}.items()))
        if name not in made_studies:
            folder = tmp_path_factory.mktemp("made") / "study"
            source = open_source(
                cohort / "scans", labels=cohort / "labels.csv", cache=folder.parent / "cache"
            )
            make_reader_study(
                folder,
                source,
                Wishes(**wishes),  # type: ignore[arg-type]
                listed=None,
                excluded=None,
                model=model,
                progress=lambda what, done, total: None,
            )
            made_studies[name] = folder
        target = tmp_path / f"study-{len(list(tmp_path.iterdir()))}"
        shutil.copytree(made_studies[name], target)
        clock = Clock()
        return Study(open_study(ReaderStudyFolder(target), clock), clock)

    return make


@pytest.fixture
def study(make_study: MakeStudy) -> Study:
    return make_study()
