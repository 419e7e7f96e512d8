"""Every test file that pydicom brings, and damaged scans: a verdict each, never a crash."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom.data
import pytest
from pydicom import Dataset

from bs_client.dicom import IngestSettings, find_studies, inspect_study

TEST_FILES = Path(pydicom.data.__file__).parent / "test_files"


@pytest.fixture
def files() -> list[Path]:
    return sorted(path for path in TEST_FILES.rglob("*") if path.is_file())


def test_each_file_alone_has_a_verdict_and_pydicom_stays_silent(files: list[Path]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        verdicts = {
            file.name: inspect_study([file], IngestSettings()).verdicts[0].verdict for file in files
        }

    assert "accepted" not in verdicts.values()
    assert verdicts["JPEG2000.dcm"] == "E_VIEW_MISSING"
    assert verdicts["JPEG-lossy.dcm"] == "E_DECODE"
    assert verdicts["JPEG2000-embedded-sequence-delimiter.dcm"] == "E_DECODE"
    assert verdicts["CT_small.dcm"] == verdicts["image_dfl.dcm"] == "E_MODALITY"
    assert verdicts["DICOMDIR"] == verdicts["reportsi.dcm"] == "E_NO_PIXELS"
    assert verdicts["meta_missing_tsyntax.dcm"] == "E_NO_TRANSFER_SYNTAX"
    assert verdicts["README.txt"] == verdicts["zipMR.gz"] == "E_NOT_DICOM"


def test_the_whole_folder_holds_one_study_of_bone_scan_samples(files: list[Path]) -> None:
    index = find_studies(TEST_FILES)

    in_studies = [file for study in index.studies for file in study.files]
    verdicts = Counter(one.verdict for one in index.verdicts)
    assert sorted([*in_studies, *(one.file for one in index.verdicts)]) == files
    assert "JPEG2000.dcm" in {file.name for file in in_studies}
    assert set(verdicts) == {"E_MODALITY", "E_NO_PIXELS", "E_NOT_DICOM", "E_NO_TRANSFER_SYNTAX"}


def test_overwritten_bytes_of_a_scan_never_crash_ingest(
    make_object: Callable[..., Dataset], save: Callable[..., Path], tmp_path: Path
) -> None:
    dataset = make_object("anterior", "posterior")
    intact = save(dataset).read_bytes()
    header_bytes = len(intact) - len(dataset.PixelData)
    draw = np.random.default_rng(3)
    file = tmp_path / "damaged"

    for _ in range(150):
        damaged = bytearray(intact)
        for place in draw.integers(132, header_bytes, size=4):
            damaged[place] = draw.integers(256)
        file.write_bytes(damaged)
        index = find_studies(file)
        verdicts = [
            one
            for study in index.studies
            for one in inspect_study(study.files, IngestSettings()).verdicts
        ]
        assert len(verdicts) + len(index.verdicts) == 1
