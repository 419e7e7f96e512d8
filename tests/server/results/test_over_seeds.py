from __future__ import annotations

import numpy as np
import pytest

from bs_server.results.comparison import AucDifference, Comparison, ComparisonRow
from bs_server.results.over_seeds import Spread, over_seeds


def row(seed: int, auc: float | None, *, gain: float | None = None) -> ComparisonRow:
    local = gain is not None
    return ComparisonRow(
        model="local" if local else "federated",
        site="aachen" if local else None,
        seed=seed,
        evaluate_site="namur",
        weights_sha256="a" * 64,
        auc=auc,
        auc_low=None,
        auc_high=None,
        difference=None if gain is None else AucDifference(value=gain, low=-1, high=1, p=0.5),
        threshold=0.5,
        tp=None,
        fn=None,
        tn=None,
        fp=None,
    )


def test_mean_and_deviation_are_those_of_numpy() -> None:
    values = [0.81, 0.86, 0.9]

    spread = Spread.of(values)

    assert spread is not None
    assert spread.mean == pytest.approx(np.mean(values), abs=1e-15)
    assert spread.deviation == pytest.approx(np.std(values, ddof=1), abs=1e-15)
    assert (spread.lowest, spread.highest, spread.seeds) == (0.81, 0.9, 3)


def test_a_single_seed_has_no_deviation_and_none_has_nothing() -> None:
    alone = Spread.of([0.9])

    assert alone is not None
    assert alone.deviation is None
    assert Spread.of([]) is None


def test_models_stand_in_the_order_of_the_rows_with_their_seeds_sorted() -> None:
    rows = [row(4, 0.9), row(4, 0.8, gain=0.1), row(3, 0.7), row(3, 0.4, gain=0.3)]

    federated, local = over_seeds(Comparison(rows=rows))

    assert [(one.model, one.site) for one in (federated, local)] == [
        ("federated", None),
        ("local", "aachen"),
    ]
    assert [one.seed for one in local.rows] == [3, 4]
    assert federated.difference is None
    assert local.difference is not None
    assert local.difference.mean == pytest.approx(0.2)


def test_a_hidden_figure_is_left_out_of_the_mean() -> None:
    (federated,) = over_seeds(Comparison(rows=[row(3, 0.7), row(4, None)]))

    assert federated.auc is not None
    assert (federated.auc.seeds, federated.auc.mean) == (1, 0.7)
