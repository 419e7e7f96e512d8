"""Calls counted apart by what is known of the scans."""

from __future__ import annotations

import numpy as np
import pytest

from bs_client.data.labels import Sex
from bs_client.evaluation.subgroups import Traits, tabulate
from bs_common.contract import SUBGROUPS
from bs_common.metrics import Confusion


@pytest.mark.parametrize(
    ("traits", "levels"),
    [
        (Traits(), {}),
        (Traits(sex=Sex.FEMALE), {"sex": "female"}),
        (Traits(age=49.9), {"age": "under-50"}),
        (Traits(age=50), {"age": "50-to-64"}),
        (Traits(age=75), {"age": "75-and-over"}),
        (Traits(counts=999_999), {"counts": "under-1m"}),
        (Traits(counts=3e6), {"counts": "3m-and-over"}),
        (Traits(lesions=0), {}),
        (Traits(lesions=2), {"lesions": "1-to-2"}),
        (Traits(lesions=10), {"lesions": "10-and-over"}),
        (Traits(scanner="SIEMENS NM Encore2"), {"scanner": "siemens"}),
        (Traits(scanner="GE MEDICAL SYSTEMS INFINIA"), {"scanner": "ge"}),
        (Traits(scanner="GE"), {"scanner": "ge"}),
        (Traits(scanner="General Electric"), {"scanner": "ge"}),
        (Traits(scanner="Philips Medical Systems BrightView"), {"scanner": "philips"}),
        (Traits(scanner="ADAC"), {"scanner": "philips"}),
        (Traits(scanner="Mediso"), {"scanner": "other"}),
        (Traits(scanner="Gerät 4 of Dr Doe"), {"scanner": "other"}),
    ],
)
def test_a_scan_has_the_level_of_what_is_known(traits: Traits, levels: dict[str, str]) -> None:
    assert traits.levels() == levels
    assert all(level in SUBGROUPS[variable] for variable, level in levels.items())


def test_calls_are_counted_by_level_and_unknown_variables_left_out() -> None:
    traits = [Traits(sex=Sex.FEMALE), Traits(sex=Sex.MALE), Traits(sex=Sex.MALE), Traits()]

    tables = tabulate(traits, np.array([1, 1, 0, 1], bool), np.array([1, 0, 1, 1], bool))

    assert tables == {
        ("sex", "female"): Confusion(tp=1, fn=0, tn=0, fp=0),
        ("sex", "male"): Confusion(tp=0, fn=1, tn=0, fp=1),
        ("sex", "other"): Confusion(tp=0, fn=0, tn=0, fp=0),
    }
