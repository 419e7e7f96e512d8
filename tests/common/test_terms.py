"""What a site agrees to, as text, digest and difference."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from bs_common import terms
from bs_common.architecture import Trainable
from bs_common.contract import (
    CONTRACT_VERSION,
    REPLY_METRICS,
    REPLY_TEXTS,
    REQUESTS_BY_ROLE,
    MessageType,
)
from bs_common.joining import Contact
from bs_common.settings import Role, StudySettings
from bs_common.terms import OCCASIONS, WORDS, Change, terms_of
from support.invitations import EXPIRES, ca_certificate, make_invitation

HEAD = StudySettings(name="bones", trainable="head", backbone="random:1", rounds=10, local_epochs=5)


def clauses(**changes: Any) -> dict[str, str]:
    return {c.heading: c.text for c in terms_of(make_invitation(**changes)).clauses}


def test_every_entry_of_the_contract_has_words_and_every_message_its_occasion() -> None:
    entries = {name for table in (REPLY_METRICS, REPLY_TEXTS) for e in table.values() for name in e}

    assert set(WORDS) == entries
    assert set(OCCASIONS) == set(MessageType)


def test_the_digest_is_that_of_the_text_and_no_heading_stands_twice() -> None:
    found = terms_of(make_invitation())

    assert found.digest() == hashlib.sha256(found.text().encode()).hexdigest()
    assert len({clause.heading for clause in found.clauses}) == len(found.clauses)
    assert len(found.text().splitlines()) == len(found.clauses)


def test_a_reviewer_reads_who_what_how_often_and_what_never_leaves() -> None:
    said = clauses(settings=HEAD, coordinator=Contact(name="Dr A. Jensen", contact="a@b.example"))

    assert said["Coordinator"] == "Dr A. Jensen (a@b.example)"
    assert said["Rounds"] == "10, each with 5 passes over the training scans"
    assert "263,682 weights" in said["Computed here"]
    assert "the trained weights (1.05 MB)" in said["Leaves after training in each round"]
    assert "scans, labels, masks" in said["Never leaves"]
    assert said["Contract version"] == str(CONTRACT_VERSION)
    assert said["Setting learning_rate"] == "0.0001"


@pytest.mark.parametrize("role", ["train", "evaluate"])
def test_each_role_is_told_what_it_answers_and_nothing_else(role: Role) -> None:
    agreed = StudySettings(name="all", compare_local=True)
    told = clauses(role=role, settings=agreed)

    leaving = {heading for heading in told if heading.startswith("Leaves")}
    assert leaving == {f"Leaves {OCCASIONS[kind]}" for kind in REQUESTS_BY_ROLE[role]}


@pytest.mark.parametrize("role", ["train", "evaluate"])
def test_models_of_single_sites_are_named_only_where_they_are_compared(role: Role) -> None:
    without, with_them = (
        clauses(role=role, settings=HEAD.model_copy(update={"compare_local": compared}))
        for compared in (False, True)
    )

    local = f"Leaves {OCCASIONS[MessageType.LOCAL]}"
    assert local not in without
    assert (local in with_them) is (role == "train")
    policy = {"train": "release_local", "evaluate": "external_models"}[role]
    assert policy not in str(without)
    assert policy in with_them["Computed here"]


@pytest.mark.parametrize(("trainable", "asked"), [("head", False), ("block5", True), ("all", True)])
def test_starting_weights_are_named_only_where_they_are_asked_for(
    trainable: Trainable, asked: bool
) -> None:
    settings = HEAD.model_copy(update={"trainable": trainable})

    assert (f"Leaves {OCCASIONS[MessageType.INITIAL]}" in clauses(settings=settings)) is asked


@pytest.mark.parametrize(
    "changes",
    [
        {"address": "elsewhere.example.org:443"},
        {"ca_certificate": ca_certificate("another")},
        {"site": "aalborg"},
        {"role": "evaluate"},
        {"settings": HEAD},
        {"coordinator": Contact(name="Somebody else")},
    ],
)
def test_whatever_differs_in_an_invitation_changes_the_digest(changes: dict[str, Any]) -> None:
    assert terms_of(make_invitation(**changes)).digest() != terms_of(make_invitation()).digest()


def test_an_invitation_that_is_written_anew_has_the_same_terms() -> None:
    later = make_invitation(expires=EXPIRES.replace(year=2127))

    assert terms_of(later) == terms_of(make_invitation())


@pytest.mark.parametrize("field", sorted(StudySettings.model_fields))
def test_every_setting_is_in_the_terms(field: str) -> None:
    assert f"Setting {field}" in clauses()


def test_a_change_of_the_contract_changes_the_terms(monkeypatch: pytest.MonkeyPatch) -> None:
    before = terms_of(make_invitation()).digest()

    monkeypatch.setattr(terms, "CONTRACT_VERSION", CONTRACT_VERSION + 1)

    assert terms_of(make_invitation()).digest() != before


def test_the_difference_names_each_changed_heading_with_both_texts() -> None:
    old = terms_of(make_invitation(settings=HEAD))
    new = terms_of(make_invitation(settings=HEAD.model_copy(update={"rounds": 20})))

    assert old.changes_to(new) == (
        Change(
            "Rounds",
            "10, each with 5 passes over the training scans",
            "20, each with 5 passes over the training scans",
        ),
        Change("Setting rounds", "10", "20"),
    )
    assert old.changes_to(old) == ()


def test_a_heading_that_only_one_of_two_terms_has_is_a_difference() -> None:
    old = terms_of(make_invitation(settings=HEAD))
    new = terms_of(make_invitation(settings=HEAD.model_copy(update={"trainable": "all"})))
    heading = f"Leaves {OCCASIONS[MessageType.INITIAL]}"

    (added,) = [c for c in old.changes_to(new) if c.heading == heading]
    (gone,) = [c for c in new.changes_to(old) if c.heading == heading]

    assert added == Change(heading, None, "the published starting weights")
    assert gone == Change(heading, "the published starting weights", None)


def test_settings_cannot_paint_over_the_terminal() -> None:
    odd = HEAD.model_copy(update={"backbone": "file:/\x1b[2J\u202e"})

    assert terms_of(make_invitation(settings=odd)).text().isascii()
