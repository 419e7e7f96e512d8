"""The outline of the body, and maps that lie where no metastasis can be."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from bs_client.data.masks import Region
from bs_client.explain.body import artefact_shares, body_mask


def disk(shape: tuple[int, int], centre: tuple[int, int], radius: int) -> NDArray[np.bool_]:
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    return np.asarray((rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 <= radius**2, bool)


def test_the_body_is_found_among_counts_in_the_air() -> None:
    rng = np.random.default_rng(0)
    truth = disk((200, 100), (100, 50), 35)
    counts = rng.poisson(np.where(truth, 4.0, 0.05)).astype(np.float32)

    found = body_mask(counts)

    # Somewhat wider than the body, never narrower: a map on its rim is no artefact.
    assert (found & truth).sum() / truth.sum() > 0.99
    assert (found & truth).sum() / (found | truth).sum() > 0.8


def test_a_hole_in_the_body_is_body() -> None:
    counts = (disk((200, 100), (100, 50), 40) * 5 - disk((200, 100), (100, 50), 10) * 5.0).astype(
        np.float32
    )

    assert body_mask(counts)[100, 50]


def test_an_empty_view_has_no_body() -> None:
    assert not body_mask(np.zeros((40, 20), np.float32)).any()


FLAT = np.ones((200, 100), np.float32)
COUNTS = (disk((200, 100), (100, 50), 35) * 5).astype(np.float32)


def test_shares_are_those_of_the_maps_sum() -> None:
    bladder = disk((200, 100), (150, 50), 5)
    regions = {Region.BLADDER: (bladder, bladder), Region.METASTASIS: (bladder, bladder)}

    found = artefact_shares((FLAT, FLAT), (COUNTS, COUNTS), regions)

    assert set(found) == {"outside_body", "bladder"}
    assert found["bladder"] == pytest.approx(bladder.sum() / 20_000)
    assert found["outside_body"] == pytest.approx(1 - body_mask(COUNTS).mean())


def test_a_map_inside_the_body_has_nothing_outside() -> None:
    inside = disk((200, 100), (100, 50), 20).astype(np.float32)

    assert artefact_shares((inside, inside), (COUNTS, COUNTS), {}) == {"outside_body": 0}


def test_a_blank_map_has_no_shares() -> None:
    assert artefact_shares((FLAT * 0, FLAT * 0), (COUNTS, COUNTS), {}) == {}
