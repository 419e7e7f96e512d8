"""The comparison of models as one checked value."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from bs_server.results.comparison import AucDifference, Comparison, ComparisonRow


def row(**changes: Any) -> ComparisonRow:
    fields: dict[str, Any] = {
        "model": "federated",
        "site": None,
        "seed": 7,
        "evaluate_site": "namur",
        "weights_sha256": "a" * 64,
        "auc": 0.9,
        "auc_low": 0.85,
        "auc_high": 0.95,
        "difference": None,
        "threshold": 0.5,
        "tp": 30,
        "fn": 10,
        "tn": 50,
        "fp": 0,
    }
    return ComparisonRow.model_validate(fields | changes)


GAIN = AucDifference(value=0.05, low=-0.01, high=0.11, p=0.1)


def local(**changes: Any) -> ComparisonRow:
    return row(**{"model": "local", "site": "aachen", "difference": GAIN} | changes)


def test_a_comparison_read_back_is_the_one_written() -> None:
    comparison = Comparison(rows=[row(), local()], left_out={"aalborg": "policy_local"})

    assert Comparison.model_validate_json(comparison.model_dump_json()) == comparison


def test_rates_follow_from_the_table() -> None:
    assert (row().sensitivity, row().specificity) == (0.75, 1.0)


def test_a_hidden_table_has_no_rates() -> None:
    table = dict.fromkeys(("tp", "fn", "tn", "fp"))

    found = row(**table, hidden=dict.fromkeys(table, "small_cell"))

    assert (found.sensitivity, found.specificity) == (None, None)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"site": "aachen"}, "a local model has a site"),
        ({"model": "local"}, "a local model has a site"),
        ({"difference": GAIN}, "compared with"),
        ({"hidden": {"tp": "small_cell"}}, "tp has a value"),
        ({"hidden": {"name": "small_cell"}}, "is not a cell"),
    ],
)
def test_a_row_that_contradicts_itself_is_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        row(**changes)


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([local()], "no federated model"),
        ([row(), local(seed=8)], "no federated model"),
        ([row(), local(), local()], "stands twice"),
    ],
)
def test_every_model_stands_once_beside_the_federated_one(
    rows: list[ComparisonRow], says: str
) -> None:
    with pytest.raises(ValidationError, match=says):
        Comparison(rows=rows)
