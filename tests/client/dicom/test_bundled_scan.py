"""The real scan that pydicom brings, alone and with a partner made from it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from pydicom import Dataset

from bs_client.dicom import StudyReading

GE_WARNINGS = ("W_SC_AS_NM", "W_NEGATIVE_CLIPPED", "W_LOSSY")


def test_one_ge_view_alone_is_refused_as_missing_its_partner(
    bundled_anterior: Dataset, read: Callable[..., StudyReading]
) -> None:
    reading = read(bundled_anterior)

    assert [one.verdict for one in reading.verdicts] == ["E_VIEW_MISSING"]
    assert reading.verdicts[0].warnings == GE_WARNINGS


@pytest.mark.parametrize("posterior_first", [False, True])
def test_a_ge_pair_of_single_frames_is_joined_in_any_order(
    bundled_anterior: Dataset,
    bundled_posterior: Dataset,
    read: Callable[..., StudyReading],
    posterior_first: bool,
) -> None:
    pair = [bundled_anterior, bundled_posterior]

    scan = read(*(pair[::-1] if posterior_first else pair)).scan

    assert scan is not None
    assert scan.anterior.sop_instance_uid == bundled_anterior.SOPInstanceUID
    assert scan.posterior.sop_instance_uid == bundled_posterior.SOPInstanceUID
    assert (scan.anterior.source, scan.posterior.source) == ("ge_name", "ge_name")
    assert scan.warnings == GE_WARNINGS


def test_a_ge_pair_keeps_its_counts_with_negatives_clipped(
    bundled_anterior: Dataset, bundled_posterior: Dataset, read: Callable[..., StudyReading]
) -> None:
    scan = read(bundled_anterior, bundled_posterior).scan

    assert scan is not None
    stored = bundled_anterior.pixel_array.astype(float)
    np.testing.assert_array_equal(scan.anterior.counts, np.where(stored < 0, 0, stored))
    np.testing.assert_array_equal(scan.posterior.counts, scan.anterior.counts[:, ::-1])
    assert scan.anterior.spacing_mm == (2.26, 2.26)
    assert scan.scanner == "GE Medical Systems MILLENNIUM MG"
    assert f"W_NEGATIVE_CLIPPED: {np.count_nonzero(stored < 0)} pixels" in scan.notes


def test_image_id_alone_tells_the_view_after_deidentification(
    bundled_anterior: Dataset, bundled_posterior: Dataset, code_of: Callable[..., str]
) -> None:
    for one in (bundled_anterior, bundled_posterior):
        one.remove_private_tags()

    assert code_of(bundled_anterior, bundled_posterior) == "accepted"
