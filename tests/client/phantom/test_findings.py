from __future__ import annotations

import itertools

import numpy as np

from bs_client.phantom.cloud import body_cloud
from bs_client.phantom.findings import (
    METASTASIS_WEIGHTS,
    FindingKind,
    draw_benign,
    draw_metastases,
)

DRAWS = 300


def test_metastases_number_one_to_twenty_nine_with_a_mean_of_six() -> None:
    rng = np.random.default_rng(1)

    numbers = [len(draw_metastases(rng, body_cloud(), preset="realistic")) for _ in range(DRAWS)]

    assert min(numbers) == 1
    assert max(numbers) <= 29
    # 1 + floor of a gamma of mean 5.5; the floor takes half away.
    assert 5.0 < np.mean(numbers) < 7.0


def test_conspicuous_metastases_are_four_at_least_and_three_times_as_hot() -> None:
    for seed in range(DRAWS // 10):
        plain = draw_metastases(np.random.default_rng(seed), body_cloud(), preset="realistic")
        hot = draw_metastases(np.random.default_rng(seed), body_cloud(), preset="conspicuous")

        assert len(hot) >= 4
        if len(plain) >= 4:  # else the draws differ from the number of foci on
            assert [one.part for one in hot] == [one.part for one in plain]
            np.testing.assert_allclose(
                [one.amplitude for one in hot], [3 * one.amplitude for one in plain]
            )


def test_every_bone_that_can_hold_a_metastasis_is_part_of_the_body() -> None:
    assert set(METASTASIS_WEIGHTS) <= set(body_cloud().names)


def test_benign_findings_occur_as_often_as_stated() -> None:
    rng = np.random.default_rng(2)

    drawn = [draw_benign(rng, body_cloud(), injection_share=0.4) for _ in range(DRAWS)]

    def share(kind: FindingKind) -> float:
        return float(np.mean([any(one.kind is kind for one in findings) for findings in drawn]))

    tolerance = 4 * (0.25 / DRAWS) ** 0.5  # four binomial standard errors
    assert abs(share(FindingKind.FACET) - 0.38) < tolerance
    assert abs(share(FindingKind.INJECTION) - 0.40) < tolerance
    assert abs(share(FindingKind.DEGENERATIVE) - (1 - np.exp(-2.4))) < tolerance
    assert not any(one.malignant for findings in drawn for one in findings)


def test_broken_ribs_are_neighbours_of_one_side() -> None:
    rng = np.random.default_rng(3)
    rows = 0
    for _ in range(DRAWS):
        benign = draw_benign(rng, body_cloud(), injection_share=0.0)
        ribs = [one.part for one in benign if one.kind is FindingKind.RIB_FRACTURE]
        numbers = [int(part.split("rib")[1]) for part in ribs]
        assert all(second - first == 1 for first, second in itertools.pairwise(numbers))
        assert len({part.split("_")[0] for part in ribs}) <= 1
        rows += len(ribs) > 1
    assert rows > 0
