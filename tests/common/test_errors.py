"""The tree of errors."""

from __future__ import annotations

import re

import pytest

from bs_common import errors
from bs_common.errors import BoneScanError, ContractError, ReplyRefused, ScanRefused

CLASSES = [
    value
    for value in vars(errors).values()
    if isinstance(value, type) and issubclass(value, BoneScanError)
]


def test_the_tree_in_the_docstring_names_every_error_and_no_other() -> None:
    drawn = re.findall(r"[├└]── (\w+)", errors.__doc__ or "")

    assert sorted(["BoneScanError", *drawn]) == sorted(kind.__name__ for kind in CLASSES)


def test_the_tree_in_the_docstring_hangs_each_error_below_its_parent() -> None:
    parent = {0: "BoneScanError"}
    for line in (errors.__doc__ or "").splitlines():
        if found := re.match(r"    ([│ ]*)[├└]── (\w+)", line):
            depth, name = len(found[1]) // 4, found[2]
            assert getattr(errors, name).__bases__[0].__name__ == parent[depth]
            parent[depth + 1] = name


def test_codes_are_short_and_fit_on_the_wire() -> None:
    assert all(re.fullmatch(r"[a-z_]{1,32}", kind.code) for kind in CLASSES)


@pytest.mark.parametrize("error", [ScanRefused("E_VIEW", "m", remedy="r"), BoneScanError("m")])
def test_an_error_says_what_was_wrong(error: BoneScanError) -> None:
    assert str(error) == "m"


def test_a_remedy_is_kept_beside_the_message() -> None:
    assert ReplyRefused("length", "two of one", remedy="Send one.").remedy == "Send one."
    assert BoneScanError("nothing to be done").remedy == ""


def test_a_contract_error_keeps_the_rule_that_was_broken() -> None:
    assert ContractError("round", "no such round").reason == "round"
