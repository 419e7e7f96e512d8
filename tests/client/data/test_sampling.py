import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bs_client.data.sampling import Epoch, balanced_epoch, batches
from bs_common.errors import DataError

counts = st.integers(1, 60)


def labels(positive: int, negative: int) -> NDArray[np.bool_]:
    """Spread the positives over the site's scans."""
    return np.random.default_rng(0).permutation(np.arange(positive + negative) < positive)


def draw(
    of: NDArray[np.bool_],
    *,
    seed: int = 3,
    site: str = "aachen",
    round_number: int = 1,
    epoch: int = 0,
) -> Epoch:
    return balanced_epoch(of, seed=seed, site=site, round_number=round_number, epoch=epoch)


def negatives(epoch: Epoch, of: NDArray[np.bool_]) -> set[int]:
    return set(epoch.indices[~of[epoch.indices]].tolist())


@given(counts, counts)
def test_an_epoch_holds_every_positive_once_and_as_many_negatives(
    positive: int, negative: int
) -> None:
    site = labels(positive, negative)

    drawn = draw(site).indices

    assert sorted(drawn[site[drawn]]) == np.flatnonzero(site).tolist()
    assert len(drawn) == 2 * positive


@given(counts, counts)
def test_negatives_are_shown_as_evenly_as_possible(positive: int, negative: int) -> None:
    # With enough negatives this says: distinct.
    site = labels(positive, negative)

    shown = np.bincount(draw(site).indices, minlength=site.size)[~site]

    assert set(shown) <= {positive // negative, positive // negative + 1}


def test_the_papers_sites_have_epochs_of_470_and_188_scans() -> None:
    assert draw(labels(235, 668)).indices.size == 470
    assert draw(labels(94, 206)).indices.size == 188


@pytest.mark.parametrize(
    "other",
    [{"epoch": 1}, {"round_number": 2}, {"seed": 4}, {"site": "aalborg"}],
)
def test_negatives_are_drawn_anew_for_every_epoch_round_seed_and_site(
    other: dict[str, int | str],
) -> None:
    site = labels(30, 90)

    assert negatives(draw(site), site) != negatives(draw(site, **other), site)  # type: ignore[arg-type]


def test_the_same_words_draw_the_same_epoch() -> None:
    site = labels(30, 90)

    first, second = draw(site), draw(site)

    np.testing.assert_array_equal(first.indices, second.indices)
    np.testing.assert_array_equal(first.flips, second.flips)


def test_over_many_epochs_every_negative_has_its_turn() -> None:
    site = labels(10, 40)

    shown = set().union(*(negatives(draw(site, epoch=epoch), site) for epoch in range(60)))

    assert shown == set(np.flatnonzero(~site))


def test_half_of_the_scans_are_flipped() -> None:
    flips = np.concatenate([draw(labels(50, 50), epoch=epoch).flips for epoch in range(40)])

    # 4000 fair draws: four standard deviations are 126.
    assert abs(int(flips.sum()) - 2000) < 126


def test_the_classes_are_mixed_in_the_order_of_training() -> None:
    site = labels(100, 100)

    first_half = site[draw(site).indices[:100]]

    assert 25 < first_half.sum() < 75  # 50 expected, seven standard deviations each side


@pytest.mark.parametrize("missing", [True, False])
def test_a_site_without_one_of_the_classes_is_refused(missing: bool) -> None:
    with pytest.raises(DataError, match=r"\b0 (training scans with|without)") as caught:
        draw(np.full(4, not missing))
    assert caught.value.remedy


def test_batches_cut_the_epoch_in_order() -> None:
    epoch = draw(labels(5, 8))

    parts = list(batches(epoch, 4))

    assert [len(indices) for indices, _ in parts] == [4, 4, 2]
    np.testing.assert_array_equal(np.concatenate([indices for indices, _ in parts]), epoch.indices)
    np.testing.assert_array_equal(np.concatenate([flips for _, flips in parts]), epoch.flips)
