"""How often a site lets itself be asked."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from bs_client.federation.asked import MOST_ASKS, MOST_DIFFERENT, Asked
from bs_common.audit import AuditLog, Passage, read_entries
from bs_common.errors import ContractError

TIME = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)


def is_let_in(asked: Asked, kind: str, number: int, content: str) -> bool:
    try:
        asked.admit(kind, number, content)
    except ContractError as error:
        assert error.reason == "too_many_messages"
        return False
    return True


def test_the_same_request_again_is_let_in_as_after_a_crash_but_not_without_end() -> None:
    asked = Asked()

    assert all(is_let_in(asked, "train", 1, "a") for _ in range(MOST_ASKS))
    assert not is_let_in(asked, "train", 1, "a")
    assert is_let_in(asked, "train", 2, "a")
    assert is_let_in(asked, "evaluate", 1, "a")


def test_how_a_site_is_may_be_asked_far_more_often() -> None:
    asked = Asked()

    assert all(is_let_in(asked, "query.describe", 0, "a") for _ in range(3 * MOST_ASKS))


def test_a_round_asked_with_ever_other_weights_is_a_probe() -> None:
    asked = Asked()

    answers = [is_let_in(asked, "evaluate", 1, str(number)) for number in range(9)]

    assert answers == [True] * MOST_DIFFERENT + [False] * (9 - MOST_DIFFERENT)
    assert is_let_in(asked, "evaluate", 1, "0")  # what was let in once stays let in


def test_held_out_scans_are_judged_for_one_model_whatever_round_it_is_from() -> None:
    asked = Asked()

    assert is_let_in(asked, "query.external", 5, "best")
    assert is_let_in(asked, "query.external", 5, "best")
    assert not is_let_in(asked, "query.external", 4, "second")
    assert not is_let_in(asked, "query.external", 5, "third")


def test_a_site_can_allow_more_models() -> None:
    asked = Asked(external_models=2)

    answers = [is_let_in(asked, "query.external", 1, name) for name in "abc"]

    assert answers == [True, True, False]


def test_the_model_of_a_site_alone_is_one_whatever_the_round() -> None:
    asked = Asked()

    assert is_let_in(asked, "train.local", 0, "a")
    assert is_let_in(asked, "train.local", 0, "a")
    assert not is_let_in(asked, "train.local", 1, "b")


class Clock:
    def __init__(self) -> None:
        self.now = TIME

    def __call__(self) -> datetime.datetime:
        return self.now


def record(log: AuditLog, content: str, *, verdict: str = "passed") -> None:
    log.record(Passage("in", "query.external", 5, (), 0, content, verdict))
    log.record(Passage("out", "query.external", 5, (), 0, "answer", "passed"))


def test_a_restart_forgets_nothing(tmp_path: Path) -> None:
    record(AuditLog(tmp_path / "log", Clock()), "best")

    asked = Asked.from_record(read_entries(tmp_path / "log"), since=TIME)

    assert is_let_in(asked, "query.external", 5, "best")
    assert not is_let_in(asked, "query.external", 5, "other")


def test_what_was_refused_does_not_count(tmp_path: Path) -> None:
    record(AuditLog(tmp_path / "log", Clock()), "malformed", verdict="array_shape")

    asked = Asked.from_record(read_entries(tmp_path / "log"), since=TIME)

    assert is_let_in(asked, "query.external", 5, "best")


def test_new_terms_that_were_approved_begin_a_new_count(tmp_path: Path) -> None:
    record(AuditLog(tmp_path / "log", Clock()), "best")

    asked = Asked.from_record(read_entries(tmp_path / "log"), since=TIME + HOUR)

    assert is_let_in(asked, "query.external", 5, "of the new study")


@pytest.mark.parametrize("number", [-1, 0, 10**9])
def test_a_stranger_s_round_is_counted_as_any_other(number: int) -> None:
    assert is_let_in(Asked(), "train", number, "a")
