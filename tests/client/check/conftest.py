"""Small scans of one synthetic patient, and folders of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from pathlib import Path

import pytest
from pydicom import Dataset
from pydicom.uid import UID

from bs_client.check.crew import Crew, Result, Task
from bs_client.check.inspection import Inspection, inspect
from bs_client.check.source import Source, open_source
from bs_client.phantom.nm_object import nm_objects
from bs_client.phantom.site_style import STYLES
from bs_client.phantom.study import draw_study

SHRINK = 4
MakeScan = Callable[..., Path]


@pytest.fixture(scope="session")
def small_scan() -> Dataset:
    """Give a two-frame phantom of 256 x 64 pixels that holds all counts of 1024 x 256."""
    style = STYLES["aachen"]
    study = draw_study(7, 1, style=style, label=False, preset="realistic", patient_number=1)
    (dataset,) = nm_objects(study).values()
    frames, rows, columns = dataset.pixel_array.shape
    blocks = dataset.pixel_array.reshape(
        frames, rows // SHRINK, SHRINK, columns // SHRINK, SHRINK
    ).sum(axis=(2, 4))
    dataset.Rows, dataset.Columns = blocks.shape[1:]
    dataset.PixelSpacing = [SHRINK * float(value) for value in dataset.PixelSpacing]
    dataset.PixelData = blocks.astype("<u2").tobytes()
    return dataset


@pytest.fixture
def make_scan(small_scan: Dataset, tmp_path: Path) -> MakeScan:
    """Write scan `number` to tmp_path/scans; each number has its own study, patient and pixels."""
    folder = tmp_path / "scans"
    folder.mkdir()

    def make(number: int, edit: Callable[[Dataset], None] = lambda dataset: None) -> Path:
        dataset = deepcopy(small_scan)
        dataset.StudyInstanceUID, dataset.PatientID = f"1.2.{number}", f"P{number}"
        dataset.SOPInstanceUID = UID(f"1.3.{number}")
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        pixels = dataset.pixel_array.copy()
        pixels[:, 0, 0] += number
        dataset.PixelData = pixels.tobytes()
        edit(dataset)
        dataset.save_as(folder / f"{number:03d}.dcm", enforce_file_format=True)
        return folder / f"{number:03d}.dcm"

    return make


@pytest.fixture
def source(tmp_path: Path, make_scan: MakeScan) -> Source:
    """Give the folder of `make_scan` as what is checked, with a cache beside it."""
    return open_source(tmp_path / "scans", labels=None, cache=tmp_path / "cache")


class LocalCrew(Crew):
    """Does tasks in this process, notes them, and is interrupted after a number of them."""

    def __init__(self, interrupted_after: int) -> None:
        super().__init__(workers=1)
        self.work_done: list[str] = []
        self._interrupted_after = interrupted_after

    def run(
        self,
        work: Callable[[Task], Result],
        tasks: Sequence[Task],
        *,
        done: Callable[[Task, Result | None], None],
    ) -> None:
        for task in tasks:
            if len(self.work_done) == self._interrupted_after:
                raise KeyboardInterrupt
            self.work_done.append(work.__name__)
            done(task, work(task))


@pytest.fixture
def look(source: Source) -> Callable[..., tuple[Inspection, list[str]]]:
    """Inspect the source; give what was found and the names of the work that had to be done."""

    def inspect_once(
        changed: Source = source, *, interrupted_after: int = 1000
    ) -> tuple[Inspection, list[str]]:
        crew = LocalCrew(interrupted_after)
        return inspect(changed, crew), crew.work_done

    return inspect_once
