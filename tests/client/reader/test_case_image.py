"""Counts as the browser gets them."""

from __future__ import annotations

import numpy as np
import pytest

from bs_client.reader.case_image import as_uint16, counts_scale, first_window
from bs_common.errors import DataError


def test_whole_counts_of_16_bits_are_kept_as_they_are() -> None:
    counts = np.array([[0, 1], [255, 65535]], np.float32)

    assert counts_scale((counts, counts)) == 1
    assert as_uint16(counts, 1).tolist() == counts.tolist()


@pytest.mark.parametrize("highest", [0.5, 70_000.0])
def test_other_counts_are_stretched_to_16_bits_by_one_factor_for_both_views(highest: float) -> None:
    views = (np.array([[0, highest / 2]], np.float32), np.array([[0, highest]], np.float32))

    scale = counts_scale(views)

    assert as_uint16(views[1], scale).max() == 65535
    assert as_uint16(views[0], scale).max() == pytest.approx(65535 / 2, abs=1)


def test_the_first_window_ends_at_the_995th_of_a_thousand_counts_above_zero() -> None:
    view = np.concatenate([np.zeros(5000), np.arange(1, 1001)]).astype(np.uint16)

    assert first_window([view[np.newaxis]]) == 995


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf, -1.0])
def test_a_scan_that_cannot_be_shown_is_refused(value: float) -> None:
    with pytest.raises(DataError, match="without counts"):
        counts_scale((np.array([[value]], np.float32),) * 2)
