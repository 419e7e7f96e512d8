"""FedAvg against Flower's own helper and by its laws."""

from __future__ import annotations

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, MetricRecord, RecordDict
from flwr.serverapp.strategy.strategy_utils import aggregate_arrayrecords
from hypothesis import given
from hypothesis import strategies as st

from bs_common.architecture import NamedArrays
from bs_common.weights import digest
from bs_server.federation.aggregation import Update, federated_average


def weights(seed: int) -> NamedArrays:
    draw = np.random.default_rng(seed)
    return {
        "kernel": draw.normal(0, 0.1, (5, 3)).astype(np.float32),
        "bias": draw.normal(0, 10, 3).astype(np.float32),
    }


def updates(*examples: int) -> dict[str, Update]:
    return {f"site{k}": Update(weights(k), count) for k, count in enumerate(examples)}


def flowers_average(sites: dict[str, Update]) -> ArrayRecord:
    records = [
        RecordDict(
            {
                "arrays": ArrayRecord({n: Array(a) for n, a in update.arrays.items()}),
                "metrics": MetricRecord({"num-examples": update.num_examples}),
            }
        )
        for update in sites.values()
    ]
    return aggregate_arrayrecords(records, "num-examples")


def test_the_average_of_two_sites_is_the_one_worked_by_hand() -> None:
    one = Update({"w": np.array([1, 10], np.float32)}, 30)
    other = Update({"w": np.array([5, -10], np.float32)}, 10)

    average = federated_average({"aachen": one, "aalborg": other})

    np.testing.assert_array_equal(average["w"], np.array([2, 5], np.float32))
    assert average["w"].dtype == np.float32


@given(st.lists(st.integers(1, 10_000), min_size=1, max_size=6))
def test_the_average_is_that_of_flower(examples: list[int]) -> None:
    sites = updates(*examples)

    own, flowers = federated_average(sites), flowers_average(sites)

    assert list(own) == list(flowers)
    for name, array in own.items():
        # Flower sums in float32: one rounding a site.
        np.testing.assert_allclose(array, flowers[name].numpy(), rtol=1e-5, atol=1e-6)


@given(st.permutations(range(5)))
def test_the_order_of_arrival_does_not_change_a_byte(order: list[int]) -> None:
    sites = updates(3, 1, 4, 1, 5)

    arrived = {f"site{k}": sites[f"site{k}"] for k in order}

    assert digest(federated_average(arrived)) == digest(federated_average(sites))


@given(st.lists(st.integers(1, 10_000), min_size=1, max_size=6))
def test_the_mean_of_equal_weights_is_the_weights(examples: list[int]) -> None:
    same = {f"site{k}": Update(weights(0), count) for k, count in enumerate(examples)}

    assert digest(federated_average(same)) == digest(weights(0))


def test_the_examples_count_by_their_ratio_alone() -> None:
    assert digest(federated_average(updates(3, 1))) == digest(federated_average(updates(300, 100)))


def test_the_updates_themselves_stay_as_they_were() -> None:
    sites = updates(2, 3)

    federated_average(sites)

    assert digest(sites["site0"].arrays) == digest(weights(0))


def test_an_average_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no update"):
        federated_average({})
