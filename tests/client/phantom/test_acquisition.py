from __future__ import annotations

import numpy as np
import pytest

from bs_client.phantom.acquisition import Exposure, draw_counts, expected_counts


@pytest.mark.parametrize("mean", [0.03, 0.11, 0.5, 20.0])
def test_drawn_counts_have_the_expected_mean_and_nearly_its_variance(mean: float) -> None:
    image = np.full((400, 500), mean, np.float32)

    counts = draw_counts(np.random.default_rng(4), image)

    error = (mean / image.size) ** 0.5  # standard error of the mean of Poisson counts
    assert counts.mean() == pytest.approx(mean, abs=5 * error)
    assert 0.86 * mean < counts.var() < 1.03 * mean


def test_bone_and_soft_tissue_share_the_counts_as_drawn() -> None:
    bone = np.zeros((64, 64), np.float32)
    bone[30:34, 30:34] = 5.0
    thickness = np.full((64, 64), 200.0, np.float32)  # mm
    exposure = Exposure(
        headroom=0.3,
        soft_tissue_share=0.4,
        counts={"anterior": 1e5, "posterior": 0.0},
        background={"anterior": 0.0, "posterior": 0.0},
    )

    mean = expected_counts(
        bone, bone, thickness, spacing_mm=2.0, exposure=exposure, view="anterior"
    )

    # Bone 60 000 and 4 % of it as scatter; 96 % of 40 000 as soft tissue.
    assert mean.sum() == pytest.approx(60_000 * 1.04 + 40_000 * 0.96, rel=1e-3)
    assert mean[0, 0] == pytest.approx(40_000 * 0.96 / 64**2 + 60_000 * 0.04 / 64**2, rel=0.05)
