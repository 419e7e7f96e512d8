"""What the finished model's judgement leaves in the site's own folder, and who can read it."""

from __future__ import annotations

import csv
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from skimage import measure

from bs_client.data.dataset import Dataset, load_dataset
from bs_client.data.labels import Split
from bs_client.data.manifest import Entry
from bs_client.dicom.settings import IngestSettings
from bs_client.evaluation.judgement import RANDOM_BACKBONE, Judgement, judge
from bs_common.errors import DataError
from bs_common.metrics import ClassTooSmall, Confusion
from support.small_network import small_network, small_settings, start

FILES = {
    *("scores.csv", "cases.csv", "maps.csv"),
    *("index.html", "performance.png", "calibration.png"),
}

pytestmark = [pytest.mark.usefixtures("device"), pytest.mark.slow]


@pytest.fixture(scope="module")
def data(cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return load_dataset(
        cohort / "scans",
        cohort / "labels.csv",
        settings=small_settings("head"),
        ingest=IngestSettings(),
        role="evaluate",
        site="namur",
        cache=tmp_path_factory.mktemp("cache"),
    )


def two_called_rightly_and_one_wrongly(entries: list[Entry]) -> NDArray[np.float64]:
    """Give margins that call the first two scans with metastasis and the first one without."""
    margins = np.full(len(entries), -2.0)
    with_metastasis = [place for place, entry in enumerate(entries) if entry.label]
    without = [place for place, entry in enumerate(entries) if not entry.label]
    margins[[*with_metastasis[:2], without[0]]] = (3.0, 2.0, 1.0)
    return margins


def judge_all(
    data: Dataset,
    folder: Path,
    *,
    margins: NDArray[np.float64] | None = None,
    told: list[tuple[int, int]] | None = None,
) -> Judgement:
    entries = data.of_split(Split.EXTERNAL)
    network = small_network("head")
    network.set_arrays(start("head"))
    return judge(
        data,
        entries,
        two_called_rightly_and_one_wrongly(entries) if margins is None else margins,
        network=network,
        threshold=0.5,
        folder=folder,
        progress=lambda done, total: None if told is None else told.append((done, total)),
    )


@pytest.fixture(scope="module")
def judged(data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> tuple[Judgement, Path]:
    folder = tmp_path_factory.mktemp("site") / "private"
    return judge_all(data, folder), folder


def test_the_calls_are_counted_against_the_labels(judged: tuple[Judgement, Path]) -> None:
    judgement, _ = judged

    assert judgement.result.confusion == Confusion(tp=2, fn=1, tn=2, fp=1)


def test_scans_are_told_apart_by_the_lesions_drawn_in_the_view_that_shows_more(
    judged: tuple[Judgement, Path], data: Dataset
) -> None:
    margins = two_called_rightly_and_one_wrongly(data.of_split(Split.EXTERNAL))
    label: Any = measure.label
    expected: dict[tuple[str, str], list[bool]] = {}
    for margin, entry in zip(margins, data.of_split(Split.EXTERNAL), strict=True):
        if entry.mask is not None:
            with Image.open(entry.mask) as picture:
                views = np.split(np.asarray(picture), 2, axis=1)  # anterior beside posterior
            spots = max(int(label(view, connectivity=2).max()) for view in views)
            level = "1-to-2" if spots < 3 else "3-to-9" if spots < 10 else "10-and-over"
            expected.setdefault(("lesions", level), []).append(margin >= 0)

    found = {key: t for key, t in judged[0].subgroups.items() if key[0] == "lesions" and t.total}

    assert found == {
        key: Confusion(tp=sum(called), fn=len(called) - sum(called), tn=0, fp=0)
        for key, called in expected.items()
    }
    assert sum(table.total for table in found.values()) == 3


def test_every_positive_call_and_every_missed_scan_is_drawn(
    judged: tuple[Judgement, Path], data: Dataset
) -> None:
    judgement, folder = judged
    margins = two_called_rightly_and_one_wrongly(data.of_split(Split.EXTERNAL))
    entries = data.of_split(Split.EXTERNAL)
    wanted = [
        number
        for number, (margin, entry) in enumerate(zip(margins, entries, strict=True), start=1)
        if margin >= 0 or entry.label
    ]

    drawn = sorted(path.name for path in folder.glob("case-*.png"))

    assert judgement.overlays == 3
    assert drawn == [f"case-{number:04d}.png" for number in wanted]
    with Image.open(folder / drawn[0]) as picture:
        assert min(picture.size) > 300


def test_the_folder_holds_these_files_and_only_its_owner_reads_them(
    judged: tuple[Judgement, Path],
) -> None:
    _, folder = judged
    others = {path.name for path in folder.iterdir() if not path.name.startswith("case-")}

    assert others == FILES | {"right.png", "wrong.png"}
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def test_nothing_is_written_outside_the_folder(data: Dataset, tmp_path: Path) -> None:
    judge_all(data, tmp_path / "private")

    assert [path.name for path in tmp_path.iterdir()] == ["private"]


def test_the_table_of_cases_alone_names_studies(
    judged: tuple[Judgement, Path], data: Dataset
) -> None:
    _, folder = judged
    entries = data.of_split(Split.EXTERNAL)
    names = [word for entry in entries for word in (entry.study_uid, entry.patient_id)]

    with (folder / "cases.csv").open() as table:
        rows = list(csv.DictReader(table))

    expected = [(str(number), entry.study_uid) for number, entry in enumerate(entries, start=1)]
    assert [(row["case"], row["study"]) for row in rows] == expected
    for path in folder.iterdir():
        assert not any(name in path.name for name in names)
        if path.name != "cases.csv":
            content = path.read_bytes()
            assert not any(name.encode() in content for name in names)


def test_the_page_says_that_scans_and_convolutions_are_no_real_ones(
    judged: tuple[Judgement, Path],
) -> None:
    page = (judged[1] / "index.html").read_text()

    assert RANDOM_BACKBONE.partition("'")[0] in page
    assert "ynthetic" in page


def test_a_study_on_imagenet_weights_has_no_such_remark(data: Dataset, tmp_path: Path) -> None:
    settings = data.settings.model_copy(update={"backbone": "imagenet"})

    judge_all(replace(data, settings=settings), tmp_path / "private")

    assert "random draw" not in (tmp_path / "private" / "index.html").read_text()


def test_a_second_judgement_leaves_nothing_of_the_first(data: Dataset, tmp_path: Path) -> None:
    folder = tmp_path / "private"
    judge_all(data, folder)
    (folder / "left-over.txt").write_text("from an earlier version")

    judgement = judge_all(data, folder, margins=np.full(6, -1.0))

    assert judgement.overlays == 0
    missed = {path.name for path in folder.glob("case-*.png")}
    assert len(missed) == 3
    assert {path.name for path in folder.iterdir()} == FILES | missed | {"wrong.png"}


def test_the_same_judgement_writes_the_same_bytes(
    judged: tuple[Judgement, Path], data: Dataset, tmp_path: Path
) -> None:
    _, folder = judged

    judge_all(data, tmp_path / "again")

    for path in folder.iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()


def test_progress_counts_the_pictures(data: Dataset, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []

    judge_all(data, tmp_path / "private", told=told)

    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_margins_of_a_diverged_model_are_refused_and_the_folder_stays(
    data: Dataset, tmp_path: Path
) -> None:
    folder = tmp_path / "private"
    judge_all(data, folder)

    with pytest.raises(DataError, match="not finite"):
        judge_all(data, folder, margins=np.full(6, np.nan))

    assert (folder / "index.html").exists()


def test_a_later_judgement_takes_away_files_and_no_folder(data: Dataset, tmp_path: Path) -> None:
    folder = tmp_path / "private"
    (folder / "readers-of-2026").mkdir(parents=True)
    (folder / "readers-of-2026" / "study.sqlite").write_text("answers")
    (folder / "case-9999.png").write_text("of an earlier judgement")

    judge_all(data, folder)

    assert (folder / "readers-of-2026" / "study.sqlite").read_text() == "answers"
    assert not (folder / "case-9999.png").exists()
    assert folder.stat().st_mode & 0o777 == 0o700


def test_too_few_scans_of_a_class_are_refused(data: Dataset, tmp_path: Path) -> None:
    positives = [entry for entry in data.of_split(Split.EXTERNAL) if entry.label]

    with pytest.raises(ClassTooSmall):
        judge(
            data,
            positives,
            np.ones(3),
            network=small_network("head"),
            threshold=0.5,
            folder=tmp_path / "private",
            progress=lambda done, total: None,
        )


def test_a_mask_is_drawn_and_one_that_does_not_fit_is_left_out_with_a_warning(
    data: Dataset, judged: tuple[Judgement, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Image.new("1", (4, 4)).save(tmp_path / "other.png")
    entries = tuple(
        replace(entry, mask=tmp_path / "other.png" if entry.label else None)
        for entry in data.entries
    )

    with caplog.at_level(logging.WARNING):
        judgement = judge_all(replace(data, entries=entries), tmp_path / "private")

    _, with_masks = judged
    assert judgement.overlays == 3
    assert caplog.text.count("a mask is left out") == 3
    differing = [
        path.name
        for path in with_masks.glob("case-*.png")
        if (tmp_path / "private" / path.name).read_bytes() != path.read_bytes()
    ]
    assert len(differing) == 3  # the scans whose lesions were outlined before
