"""What the coordinator is told to do about a site's code."""

from __future__ import annotations

import pytest

from bs_server.federation.reasons import remedy_for


@pytest.mark.parametrize("code", ["settings_changed", "contract_version"])
def test_changed_terms_are_to_be_taken_back_or_approved_again(code: str) -> None:
    assert "bs-server invite" in remedy_for([code], otherwise="")


@pytest.mark.parametrize("code", ["policy_message", "policy_scope", "policy_rounds"])
def test_a_policy_is_the_sites_to_change(code: str) -> None:
    assert "[policy] in site.toml" in remedy_for([code], otherwise="")


def test_reasons_of_one_kind_have_one_remedy_and_unknown_ones_the_general() -> None:
    one = remedy_for(["policy_scope"], otherwise="")

    assert remedy_for(["policy_scope", "policy_rounds", "deadline"], otherwise="x") == one
    assert remedy_for(["deadline"], otherwise="look") == "look"
