"""Asking until there is enough, and what happens where there is not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from bs_common.contract import MessageType
from bs_common.errors import StudyStopped
from bs_common.messages import Reply, Request
from bs_server.config import Quorum
from bs_server.federation.exchange import Answer, NoAnswer, Patience
from bs_server.federation.quorum import Gathered, Policy, gather
from bs_server.results.summary import Refusal

SITES = ("a", "b", "c")
TRAIN = Request(MessageType.TRAIN, 4)
GOOD = Reply(MessageType.TRAIN, 4)
BAD = Reply(MessageType.TRAIN, 4, metrics={"bad": 1})


class Script:
    """Gives each site's answers in turn and remembers who was asked."""

    def __init__(self, **answers: list[Answer]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, ...]] = []
        self.patience: list[Patience] = []

    def __call__(
        self, request: Request, sites: tuple[str, ...], *, patience: Patience
    ) -> dict[str, Answer]:
        assert request == TRAIN
        self.asked.append(sites)
        self.patience.append(patience)
        return {site: self.answers[site].pop(0) for site in sites}


def no_bad(replies: Mapping[str, Reply]) -> dict[str, str]:
    return {site: "bad" for site, reply in replies.items() if reply.metrics}


def collect(script: Script, rules: Quorum, **unasked: str) -> Gathered:
    asked = tuple(site for site in SITES if site not in unasked)
    policy = Policy(rules, len(SITES), longest_s=100.0)
    told: list[Refusal] = []
    gathered = gather(
        script, TRAIN, asked, policy, screen=no_bad, unasked=unasked, told=told.append
    )
    assert tuple(told) == gathered.refusals
    return gathered


def rules(**values: Any) -> Quorum:
    return Quorum(**values)


def test_with_every_answer_nobody_is_left_out() -> None:
    gathered = collect(Script(a=[GOOD], b=[GOOD], c=[GOOD]), rules())

    assert gathered == Gathered(dict.fromkeys(SITES, GOOD), {}, ())


@pytest.mark.parametrize("missing", ["wait", "stop"])
def test_a_missing_site_stops_the_study_by_name_unless_it_may_go_on(missing: str) -> None:
    script = Script(a=[GOOD], b=[NoAnswer("away")], c=[GOOD])

    with pytest.raises(StudyStopped, match=r"Round 4, train.* b \(away\)") as stopped:
        collect(script, rules(missing=missing))
    assert stopped.value.remedy


def test_a_round_goes_on_without_a_missing_site_and_says_so() -> None:
    script = Script(a=[GOOD], b=[NoAnswer("deadline")], c=[GOOD])

    gathered = collect(script, rules(missing="go_on", fewest=2))

    assert list(gathered.replies) == ["a", "c"]
    assert gathered.left_out == {"b": "deadline"}


def test_a_round_does_not_go_on_with_too_few() -> None:
    script = Script(a=[GOOD], b=[NoAnswer("away")], c=[NoAnswer("deadline")])

    with pytest.raises(StudyStopped, match=r"b \(away\), c \(deadline\)"):
        collect(script, rules(missing="go_on", fewest=2))


def test_a_site_that_cannot_be_asked_is_missing_too() -> None:
    script = Script(a=[GOOD], c=[GOOD])

    gathered = collect(script, rules(missing="go_on", fewest=2), b="away")

    assert gathered.left_out == {"b": "away"}
    assert script.asked == [("a", "c")]


def test_only_the_refused_site_is_asked_again_and_its_refusal_is_kept() -> None:
    script = Script(a=[GOOD], b=[BAD, GOOD], c=[GOOD])

    gathered = collect(script, rules())

    assert script.asked == [SITES, ("b",)]
    assert list(gathered.replies) == list(SITES)
    assert gathered.refusals == (Refusal(name="b", message="train", attempt=1, reason="bad"),)


def test_a_sites_own_error_is_a_refusal() -> None:
    script = Script(a=[GOOD], b=[NoAnswer("internal"), GOOD], c=[GOOD])

    assert [r.reason for r in collect(script, rules()).refusals] == ["internal"]


def test_asking_again_has_an_end() -> None:
    script = Script(a=[GOOD], b=[BAD] * 3, c=[GOOD])

    with pytest.raises(StudyStopped, match=r"b \(bad\)"):
        collect(script, rules(attempts=3))
    assert len(script.asked) == 3


def test_a_refusal_can_stop_at_once() -> None:
    script = Script(a=[GOOD], b=[BAD], c=[GOOD])

    with pytest.raises(StudyStopped):
        collect(script, rules(refused="stop"))
    assert len(script.asked) == 1


def test_a_round_can_go_on_without_a_refused_site() -> None:
    script = Script(a=[GOOD], b=[BAD], c=[GOOD])

    gathered = collect(script, rules(refused="go_on", fewest=2))

    assert gathered.left_out == {"b": "bad"}
    assert len(gathered.refusals) == 1


def test_with_too_few_usable_answers_the_refused_are_asked_again_first() -> None:
    script = Script(a=[GOOD], b=[BAD, GOOD], c=[BAD, BAD])

    gathered = collect(script, rules(refused="go_on", fewest=2))

    assert script.asked == [SITES, ("b", "c")]
    assert gathered.left_out == {"c": "bad"}


def test_going_on_without_the_refused_does_not_excuse_the_missing() -> None:
    script = Script(a=[GOOD], b=[NoAnswer("away")], c=[GOOD])

    with pytest.raises(StudyStopped, match=r"b \(away\)"):
        collect(script, rules(refused="go_on", fewest=2))


def test_a_repeated_asking_needs_only_what_is_lacking() -> None:
    script = Script(a=[GOOD], b=[BAD, GOOD], c=[GOOD])

    collect(script, rules(missing="go_on", fewest=3))

    assert [patience.fewest for patience in script.patience] == [3, 1]


def test_stopping_for_a_missing_site_is_done_after_the_patience() -> None:
    policy = Policy(rules(missing="stop", patience_s=30), 3, longest_s=100)

    assert policy.patience().longest_s == 30
    assert Policy(rules(), 3, longest_s=100).patience().longest_s == 100


@pytest.mark.parametrize("field", ["missing", "refused"])
def test_going_on_without_saying_with_how_many_is_refused(field: str) -> None:
    with pytest.raises(ValueError, match="fewest"):
        rules(**{field: "go_on"})
