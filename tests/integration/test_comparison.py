"""A study of real processes judges each site's own model beside the federated one."""

from __future__ import annotations

import pytest

from bs_common.architecture import array_shapes
from bs_common.audit import read_entries
from bs_common.weights import digest, read_weights
from bs_server.results.comparison import Comparison
from bs_server.results.summary import read_summary
from support.real_study import HeadStudy

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def comparison(head_study: HeadStudy) -> Comparison:
    found = read_summary(head_study.study.folder.summary).comparison
    assert found is not None
    return found


def test_both_sites_models_stand_beside_the_federated_one(comparison: Comparison) -> None:
    assert [(row.model, row.site) for row in comparison.rows] == [
        ("federated", None),
        ("local", "aachen"),
        ("local", "aalborg"),
    ]
    assert comparison.left_out == comparison.not_compared == {}


def test_differences_are_those_of_the_areas_on_the_same_scans(comparison: Comparison) -> None:
    federated, *others = comparison.rows
    for row in others:
        assert row.difference is not None
        assert federated.auc is not None
        assert row.auc is not None
        assert row.difference.value == pytest.approx(federated.auc - row.auc, abs=1e-12)
        assert row.difference.low <= row.difference.value <= row.difference.high
        counts = [getattr(row, name) for name in ("tp", "fn", "tn", "fp")]
        assert (counts[0] + counts[1], counts[2] + counts[3]) == (6, 6)


def test_the_judged_models_are_the_frozen_ones_and_were_judged_in_one_request(
    head_study: HeadStudy, comparison: Comparison
) -> None:
    for row in comparison.rows[1:]:
        path = head_study.study.folder.local / str(row.site) / "weights.safetensors"
        assert digest(read_weights(path, array_shapes("head"))) == row.weights_sha256
    entries = list(read_entries(head_study.study.sites["namur"].audit))
    asked = [e for e in entries if (e["direction"], e["message_type"]) == ("in", "query.external")]
    assert len(asked) == 1
    models = [key for key in asked[0]["keys"] if key.endswith(".weights")]  # type: ignore[attr-defined]
    assert models == ["arrays.weights", "compared-1.weights", "compared-2.weights"]
