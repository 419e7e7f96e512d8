"""A site's folder of scans and its labels, read as training reads them."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from bs_client.data.cache import ArrayCache
from bs_client.data.dataset import Dataset, load_dataset, take_in
from bs_client.data.labels import Split
from bs_client.data.preprocess import prepare
from bs_client.dicom.settings import IngestSettings
from bs_common.errors import DataError
from bs_common.settings import Role, StudySettings

pytestmark = pytest.mark.slow

SETTINGS = StudySettings(name="small", seed=4, view_height=64, view_width=32)
INGEST = IngestSettings()


def load(
    folder: Path, cache: Path, *, role: Role = "train", settings: StudySettings = SETTINGS
) -> Dataset:
    return load_dataset(
        folder / "scans",
        folder / "labels.csv",
        settings=settings,
        ingest=INGEST,
        role=role,
        site="aachen",
        cache=cache,
    )


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def data(cohort: Path, cache: Path) -> Dataset:
    return load(cohort, cache)


@pytest.fixture
def own_cohort(cohort: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(cohort, tmp_path / "own"))


def test_every_labelled_scan_trains_or_validates(data: Dataset) -> None:
    training, validation = data.of_split(Split.TRAIN), data.of_split(Split.VALIDATION)

    assert len(training) + len(validation) == len(data.entries) == 6
    assert data.labels(Split.TRAIN).tolist() == [entry.label for entry in training]
    assert sorted(data.labels(Split.VALIDATION)) == [False, True]
    assert data.intake.refused == {}


def test_the_evaluating_sites_scans_are_all_external(cohort: Path, cache: Path) -> None:
    data = load(cohort, cache, role="evaluate")

    assert len(data.of_split(Split.EXTERNAL)) == 6
    assert data.labels(Split.EXTERNAL).sum() == 3


def test_scans_that_say_they_are_synthetic_make_the_data_set_so(data: Dataset) -> None:
    assert data.synthetic


def test_scans_that_do_not_say_so_leave_it_real(own_cohort: Path, tmp_path: Path) -> None:
    for path in (own_cohort / "scans").iterdir():
        dataset = dcmread(path)
        del dataset[0x0008, 0x001C]
        dataset.save_as(path)

    assert not load(own_cohort, tmp_path / "cache").synthetic


def test_an_image_is_what_the_network_expects_and_its_counts_can_be_read_again(
    data: Dataset,
) -> None:
    entry = data.entries[2]

    image, scan = data.image(entry), data.read(entry)

    counts = (scan.anterior.counts, scan.posterior.counts)
    expected = prepare(*counts, height=64, width=32, profile="paper")
    np.testing.assert_array_equal(image, expected.image)
    assert data.record(entry).geometry == expected.geometry
    assert scan.study_uid == entry.study_uid
    assert scan.pixel_sha256 == entry.pixel_sha256


def test_a_torn_image_in_the_cache_is_made_again_to_the_same_bytes(
    cohort: Path, tmp_path: Path
) -> None:
    data = load(cohort, tmp_path)
    before = [data.image(entry).tobytes() for entry in data.entries]
    for path in (tmp_path / "images").iterdir():
        path.write_bytes(path.read_bytes()[:1000])

    assert [data.image(entry).tobytes() for entry in data.entries] == before


def test_other_settings_of_the_image_do_not_share_its_cache(cohort: Path, cache: Path) -> None:
    load(cohort, cache)
    wide = SETTINGS.model_copy(update={"view_width": 64})
    robust = SETTINGS.model_copy(update={"preprocessing": "robust"})

    images = [
        data.image(data.entries[0])
        for data in (load(cohort, cache, settings=one) for one in (SETTINGS, wide, robust))
    ]

    assert [image.shape for image in images] == [(64, 64), (64, 128), (64, 64)]
    assert not np.array_equal(images[0], images[2])


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def make_blank(path: Path) -> None:
    dataset = dcmread(path)
    dataset.PixelData = bytes(len(dataset.PixelData))
    dataset.save_as(path)


@pytest.mark.parametrize(("spoil", "code"), [(cut_short, "E_TRUNCATED"), (make_blank, "E_BLANK")])
def test_a_study_that_cannot_be_used_is_counted_and_the_others_are_used(
    spoil: Callable[[Path], None], code: str, own_cohort: Path, tmp_path: Path
) -> None:
    spoil(own_cohort / "scans" / "0002.dcm")

    data = load(own_cohort, tmp_path / "cache", role="evaluate")

    assert data.intake.refused == {code: 1}
    assert len(data.entries) == 5


def test_files_that_are_no_scans_are_counted_by_code(own_cohort: Path, tmp_path: Path) -> None:
    for name in ("notes.txt", "thumbs.db"):
        (own_cohort / "scans" / name).write_text("to be done")

    data = load(own_cohort, tmp_path / "cache")

    assert data.intake.refused == {"E_NOT_DICOM": 2}
    assert len(data.entries) == 6


def test_the_slices_of_another_modality_count_as_one_study(
    own_cohort: Path, tmp_path: Path
) -> None:
    slice_ = dcmread(next((own_cohort / "scans").iterdir()))
    slice_.Modality = "CT"
    for study, number in (("1.2.3", 1), ("1.2.3", 2), ("1.2.3", 3), ("1.2.4", 1)):
        slice_.StudyInstanceUID = study
        slice_.save_as(own_cohort / "scans" / f"ct-{study}-{number}.dcm")

    data = load(own_cohort, tmp_path / "cache")

    assert data.intake.refused == {"E_MODALITY": 2}


def test_labels_and_masks_among_the_scans_are_no_refused_files(
    own_cohort: Path, tmp_path: Path
) -> None:
    data = load_dataset(
        own_cohort,  # holds scans/, masks/ and labels.csv
        own_cohort / "labels.csv",
        settings=SETTINGS,
        ingest=INGEST,
        role="train",
        site="aachen",
        cache=tmp_path / "cache",
    )

    assert any(entry.mask is not None for entry in data.entries)
    assert data.intake.refused == {}


def test_a_scan_that_is_gone_changed_or_damaged_is_not_still_there(
    own_cohort: Path, tmp_path: Path
) -> None:
    data = load(own_cohort, tmp_path / "cache", role="evaluate")
    gone, changed, damaged, *rest = (data.record(entry).files[0] for entry in data.entries)
    gone.unlink()
    changed.write_bytes(rest[0].read_bytes())
    cut_short(damaged)

    left = data.still_there(Split.EXTERNAL)

    assert left.entries == data.entries[3:]
    assert data.of_split(Split.EXTERNAL) == list(data.entries)
    assert len(data.entries) == 6


def test_labels_without_scans_are_tolerated_and_counted_in_the_log(
    own_cohort: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with (own_cohort / "labels.csv").open("a") as labels:
        labels.write("1.2.3.4,P-9999,metastasis\n")

    with caplog.at_level(logging.INFO):
        data = load(own_cohort, tmp_path / "cache")

    assert len(data.entries) == 6
    assert "6 labelled scans, 0 without label, 1 labels without scan, 0 refused" in caplog.text


def test_no_log_line_names_a_patient_or_a_study(
    own_cohort: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cut_short(own_cohort / "scans" / "0002.dcm")

    with caplog.at_level(logging.DEBUG):
        data = load(own_cohort, tmp_path / "cache", role="evaluate")

    for entry in data.entries:
        assert entry.study_uid not in caplog.text
        assert entry.patient_id not in caplog.text
    assert "0002" not in caplog.text


def test_scans_without_any_label_are_an_error_that_gives_counts(
    own_cohort: Path, tmp_path: Path
) -> None:
    (own_cohort / "labels.csv").write_text("study_uid,label\n1.2.3.4,metastasis\n")

    with pytest.raises(DataError, match="6 accepted scans and 1 label rows") as caught:
        load(own_cohort, tmp_path / "cache")

    assert "study_uid" in caught.value.remedy


def test_studies_without_a_uid_do_not_stand_for_each_other(
    own_cohort: Path, tmp_path: Path
) -> None:
    for path in (own_cohort / "scans").iterdir():
        dataset = dcmread(path)
        del dataset.StudyInstanceUID
        dataset.save_as(path)

    intake = take_in(
        own_cohort / "scans",
        ingest=INGEST,
        settings=SETTINGS,
        images=ArrayCache(tmp_path / "cache"),
    )

    assert len(intake.scans) == 6


def test_progress_is_told_study_by_study(cohort: Path, cache: Path) -> None:
    told: list[tuple[int, int]] = []

    load_dataset(
        cohort / "scans",
        cohort / "labels.csv",
        settings=SETTINGS,
        ingest=INGEST,
        role="train",
        site="aachen",
        cache=cache,
        progress=lambda done, total: told.append((done, total)),
    )

    assert told == [(n, 6) for n in range(1, 7)]


def test_the_order_of_entries_does_not_depend_on_file_names(
    own_cohort: Path, data: Dataset, tmp_path: Path
) -> None:
    for path in sorted((own_cohort / "scans").iterdir()):
        path.rename(path.with_name(f"{9999 - int(path.stem)}.dcm"))

    renamed = load(own_cohort, tmp_path / "cache")

    assert [e.study_uid for e in renamed.entries] == [e.study_uid for e in data.entries]
    assert [e.split for e in renamed.entries] == [e.split for e in data.entries]
