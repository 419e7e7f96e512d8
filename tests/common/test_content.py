"""What a message carries, measured alike at both ends of the wire."""

from __future__ import annotations

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, MetricRecord, RecordDict

from bs_common.content import NOTHING, measure


def content(**metrics: int | float | list[int] | list[float]) -> RecordDict:
    arrays = ArrayRecord({"w": Array(np.arange(3, dtype=np.float32))})
    return RecordDict({"metrics": MetricRecord(metrics), "arrays": arrays})


def test_the_order_of_records_and_keys_does_not_matter() -> None:
    one = measure(content(a=1, b=[2, 3]))
    turned = dict(reversed(list(content(b=[2, 3], a=1).items())))

    assert measure(RecordDict(turned)) == one
    assert one.keys == ("arrays.w", "metrics.a", "metrics.b")


def test_every_value_changes_the_digest() -> None:
    digests = {
        measure(made).sha256
        for made in (
            content(a=1),
            content(a=2),
            content(a=1.0),
            content(b=1),
            RecordDict({"config": ConfigRecord({"a": b"\x00"})}),
            RecordDict({"other": ConfigRecord({"a": b"\x00"})}),
        )
    }

    assert len(digests) == 6


def test_an_array_counts_with_the_bytes_that_travel() -> None:
    array = Array(np.arange(3, dtype=np.float32))

    assert measure(RecordDict({"arrays": ArrayRecord({"w": array})})).size_bytes == len(array.data)


def test_an_answer_that_is_only_a_code_carries_nothing() -> None:
    assert (NOTHING.keys, NOTHING.size_bytes) == ((), 0)
