"""Whole folders: copies read as originals do, and hold nobody's name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset

from bs_client.deidentify import deidentify_folder
from bs_client.dicom import BoneScan, IngestSettings, find_studies, inspect_study
from bs_client.phantom import STYLES, CohortCounts, write_cohort
from bs_client.phantom.site_style import SiteName
from bs_common.errors import ConfigError

Study = Mapping[str, Dataset]
Put = Callable[[Study], None]
VENDORS: tuple[SiteName, ...] = ("aachen", "aalborg", "namur")


def scan_of(folder: Path) -> BoneScan:
    (study,) = find_studies(folder).studies
    scan = inspect_study(study.files, IngestSettings()).scan
    assert scan is not None
    return scan


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "copy"


@pytest.fixture(params=[*VENDORS, "bundled"])
def study(request: pytest.FixtureRequest, drawn: Mapping[str, Study], bundled_pair: Study) -> Study:
    return bundled_pair if request.param == "bundled" else drawn[request.param]


def test_a_copy_has_the_same_pixels_views_and_warnings(
    study: Study, put: Put, source: Path, target: Path
) -> None:
    put(study)
    original = scan_of(source)

    deidentify_folder(source, target)

    copy = scan_of(target)
    np.testing.assert_array_equal(copy.anterior.counts, original.anterior.counts)
    np.testing.assert_array_equal(copy.posterior.counts, original.posterior.counts)
    assert (copy.anterior.source, copy.posterior.source) == ("view_code", "view_code")
    assert copy.anterior.spacing_mm == original.anterior.spacing_mm
    assert copy.scanner == original.scanner
    assert copy.synthetic is original.synthetic
    removed = {"W_OVERLAY_IGNORED"}  # overlays are not copied
    assert set(original.warnings) - set(copy.warnings) == removed
    assert set(copy.warnings) <= set(original.warnings)


def test_no_identifier_is_in_any_byte_or_name_of_the_copy(
    study: Study, put: Put, source: Path, target: Path, secrets: tuple[bytes, ...]
) -> None:
    put(study)
    originals = b"".join(contents(source).values())
    assert all(secret in originals for secret in secrets)

    deidentify_folder(source, target)

    for name, content in contents(target).items():
        assert not [secret for secret in secrets if secret in content]
        assert name.removeprefix("scans/").removesuffix(".dcm").isdecimal()


def test_the_source_is_not_touched(study: Study, put: Put, source: Path, target: Path) -> None:
    put(study)
    before = contents(source)

    deidentify_folder(source, target)

    assert contents(source) == before


def test_a_second_run_gives_the_same_files(
    study: Study, put: Put, source: Path, target: Path
) -> None:
    put(study)
    deidentify_folder(source, target)
    first = contents(target)

    deidentify_folder(source, target)

    assert contents(target) == first


def test_another_target_has_other_pseudonyms(
    drawn: Mapping[str, Study], put: Put, source: Path, target: Path
) -> None:
    put(drawn["aachen"])
    deidentify_folder(source, target)
    deidentify_folder(source, target.with_name("second copy"))

    first, second = scan_of(target), scan_of(target.with_name("second copy"))
    assert first.pixel_sha256 == second.pixel_sha256
    assert first.study_uid != second.study_uid
    assert first.patient_id != second.patient_id


def test_salt_and_mapping_lie_outside_the_copy_for_their_owner_alone(
    drawn: Mapping[str, Study], put: Put, source: Path, target: Path
) -> None:
    put(drawn["aalborg"])

    done = deidentify_folder(source, target)

    private = done.mapping.parent
    assert private.parent == source.with_name(f"{source.name}.private")
    assert sorted(path.name for path in private.iterdir()) == ["mapping.csv", "salt"]
    assert {path.stat().st_mode & 0o777 for path in private.iterdir()} == {0o600}
    lines = done.mapping.read_text().splitlines()
    copy = scan_of(target)
    assert lines[1] == (
        f"Musterfrau_e.dcm,1.2.276.99.1.1,KH-004711,scans/0001.dcm,{copy.study_uid},"
        f"{copy.patient_id}"
    )
    assert len(lines) == 3


def test_a_refused_study_is_counted_by_code_and_not_copied(
    drawn: Mapping[str, Study], put: Put, source: Path, target: Path
) -> None:
    put(drawn["aachen"])
    burned = deepcopy(drawn["namur"][""])
    burned.BurnedInAnnotation = "YES"
    burned.save_as(source / "burned.dcm", enforce_file_format=True)
    (source / "notes.txt").write_text("Musterfrau")

    done = deidentify_folder(source, target)

    assert (done.studies, done.files) == (1, 1)
    assert done.not_copied == {"E_BURNED_IN": 1, "E_NOT_DICOM": 1}
    assert list(contents(target)) == ["scans/0001.dcm"]


def test_a_copy_of_the_same_object_is_spare(
    drawn: Mapping[str, Study], put: Put, source: Path, target: Path
) -> None:
    put(drawn["aachen"])
    (source / "again.dcm").write_bytes((source / "Musterfrau.dcm").read_bytes())

    done = deidentify_folder(source, target)

    assert (done.files, done.not_copied) == (1, {"spare": 1})


def test_a_study_that_no_valid_file_can_hold_is_counted_and_leaves_none(
    drawn: Mapping[str, Study], source: Path, target: Path
) -> None:
    classless = deepcopy(drawn["aachen"][""])
    del classless.SOPClassUID, classless.file_meta.MediaStorageSOPClassUID
    classless.save_as(source / "classless.dcm")
    assert scan_of(source)

    done = deidentify_folder(source, target)

    assert (done.studies, done.not_copied) == (0, {"E_DEIDENTIFY": 1})
    assert not contents(target)


@pytest.mark.parametrize("place", ["", "inside"])
def test_source_and_target_must_lie_apart(source: Path, place: str) -> None:
    with pytest.raises(ConfigError, match="lie in one another"):
        deidentify_folder(source, source / place)


def test_private_notes_must_not_lie_in_the_copy(source: Path, target: Path) -> None:
    with pytest.raises(ConfigError, match="lie in one another"):
        deidentify_folder(source, target, private=target / "private")


def test_a_target_with_other_files_is_refused_before_anything_is_written(
    drawn: Mapping[str, Study], put: Put, source: Path, target: Path
) -> None:
    put(drawn["aachen"])
    target.mkdir()
    (target / "other.dcm").write_bytes(b"")

    with pytest.raises(ConfigError, match="1 files that are not of this copy"):
        deidentify_folder(source, target)

    assert list(contents(target)) == ["other.dcm"]


def test_labels_of_a_cohort_fit_its_copy(tmp_path: Path, target: Path) -> None:
    cohort = tmp_path / "cohort"
    counts = CohortCounts(positive=1, negative=1)
    labels = write_cohort(
        cohort, style=STYLES["aalborg"], counts=counts, seed=1, preset="realistic"
    )

    done = deidentify_folder(cohort, target, labels=labels)

    lines = (target / "labels.csv").read_text().splitlines()
    copied = {study.study_uid for study in find_studies(target / "scans").studies}
    assert done.labels is not None
    assert done.labels.rows == 2
    assert {line.split(",")[0] for line in lines[1:]} == copied
    assert sorted(line.split(",")[2] for line in lines[1:]) == ["metastasis", "no_metastasis"]
    assert b"PHANTOM-B" not in b"".join(contents(target).values())
