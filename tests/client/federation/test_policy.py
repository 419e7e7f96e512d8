"""The site's own policy: a study can ask for more caution, never for less."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from bs_client.config import Policy
from bs_client.federation.policy import (
    external_requests,
    find_objections,
    find_refusal,
    smallest_count,
)
from bs_common.architecture import initial_head
from bs_common.contract import MessageType, requests_of
from bs_common.messages import Request
from bs_common.settings import Role, StudySettings

SETTINGS = StudySettings(name="t", trainable="all", rounds=10)
WITHOUT_TRAINING = Policy(messages=tuple(kind for kind in MessageType if kind != "train"))


COMPARING = SETTINGS.model_copy(update={"compare_local": True})


def refusal(policy: Policy, kind: MessageType, number: int = 0) -> str | None:
    return find_refusal(policy, Request(kind, number), COMPARING)


def asking(min_cell: int) -> StudySettings:
    return SETTINGS.model_copy(update={"min_cell": min_cell})


@pytest.mark.parametrize(("own", "studys", "holds"), [(5, 1, 5), (5, 10, 10), (1, 1, 1)])
def test_the_higher_limit_of_site_and_study_holds(own: int, studys: int, holds: int) -> None:
    assert smallest_count(Policy(min_cell=own), asking(studys)) == holds


@pytest.mark.parametrize("role", ["train", "evaluate"])
def test_by_default_a_study_of_any_scope_is_answered(role: Role) -> None:
    assert find_objections(Policy(), SETTINGS, role) == []
    for kind in requests_of(role, SETTINGS):
        assert refusal(Policy(), kind, 10) is None


def test_a_local_model_leaves_only_where_the_site_says_so() -> None:
    assert Policy().release_local is False
    assert refusal(Policy(), MessageType.LOCAL) == "policy_local"
    assert refusal(Policy(release_local=True), MessageType.LOCAL) is None


def test_a_local_model_that_may_not_leave_is_no_objection_to_the_study() -> None:
    older = Policy(messages=tuple(kind for kind in MessageType if kind != "train.local"))

    assert find_objections(Policy(), COMPARING, "train") == []
    assert find_objections(older, COMPARING, "train") == []
    assert refusal(older, MessageType.LOCAL) == "policy_message"


@pytest.mark.parametrize(
    ("allowed", "code"), [(1, "policy_models"), (2, "policy_models"), (3, None)]
)
def test_no_more_models_are_judged_than_the_site_says(allowed: int, code: str | None) -> None:
    head = initial_head(0)
    three = Request(MessageType.EXTERNAL, 1, head, compared=(head, head))

    assert find_refusal(Policy(external_models=allowed), three, COMPARING) == code


def test_a_study_that_compares_models_asks_its_judges_once_for_all() -> None:
    several = Policy(external_models=4)

    assert external_requests(several, SETTINGS) == 4
    assert external_requests(several, COMPARING) == 1


def test_a_local_model_has_all_rounds_behind_it() -> None:
    few = Policy(release_local=True, max_rounds=9)  # the study has ten

    assert refusal(few, MessageType.LOCAL) == "policy_rounds"


def test_each_rule_has_its_code() -> None:
    head_only = Policy(scopes=("head",))

    assert refusal(WITHOUT_TRAINING, MessageType.TRAIN, 1) == "policy_message"
    assert refusal(head_only, MessageType.EVALUATE, 1) == "policy_scope"
    assert refusal(Policy(max_rounds=3), MessageType.TRAIN, 4) == "policy_rounds"
    assert refusal(Policy(max_rounds=3), MessageType.TRAIN, 3) is None


def test_a_site_that_tells_nothing_of_its_readers_takes_part_all_the_same() -> None:
    silent = Policy(messages=tuple(kind for kind in MessageType if kind != "query.readers"))

    assert find_objections(silent, SETTINGS, "evaluate") == []
    assert refusal(silent, MessageType.READERS, 2) == "policy_message"


def test_single_readers_do_not_leave_by_default() -> None:
    assert Policy().single_readers is False


def test_a_site_can_always_be_told_that_the_study_is_over() -> None:
    nothing = Policy(messages=(), scopes=())

    assert refusal(nothing, MessageType.FINISH) is None
    assert refusal(nothing, MessageType.DESCRIBE) == "policy_message"


def test_every_objection_is_named_at_once_with_both_sides() -> None:
    strict = Policy(messages=WITHOUT_TRAINING.messages, scopes=("head", "block5"), max_rounds=6)

    said = {one.code: one.says for one in find_objections(strict, SETTINGS, "train")}

    assert set(said) == {"policy_message", "policy_scope", "policy_rounds"}
    assert "train" in said["policy_message"]
    assert "'all'" in said["policy_scope"]
    assert "head, block5" in said["policy_scope"]
    assert "10 rounds" in said["policy_rounds"]


def test_a_message_that_the_study_never_sends_is_no_objection() -> None:
    head = StudySettings(name="t", trainable="head")
    without_initial = Policy(
        messages=tuple(kind for kind in MessageType if kind != "query.initial")
    )

    assert find_objections(without_initial, head, "train") == []
    assert find_objections(without_initial, SETTINGS, "train") != []


@pytest.mark.parametrize("changes", [{"scopes": ("everything",)}, {"messages": ("train.secret",)}])
def test_a_policy_that_names_what_there_is_not_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Policy(**changes)  # type: ignore[arg-type]
