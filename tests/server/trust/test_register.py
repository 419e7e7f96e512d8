"""Who was invited, and whose key was enrolled."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import ValidationError

from bs_common.contract import CONTRACT_VERSION
from bs_common.errors import ConfigError, TrustError
from bs_common.joining import Invitation, read_document, read_invitation, write_document
from bs_common.keys import fingerprint, public_pem
from bs_common.settings import Role, StudySettings
from bs_common.terms import terms_of
from bs_common.toml import write_toml
from bs_server.config import ServerSettings, StudyFile, StudyFolder
from bs_server.trust.authority import Authority, make_authority
from bs_server.trust.register import check_approved, enrol, invite, revoke
from bs_server.trust.signed_register import read_register
from support.invitations import NOW, answer_to, make_invitation

SETTINGS = StudySettings(name="test")


@pytest.fixture
def folder(tmp_path: Path) -> StudyFolder:
    study = StudyFolder(tmp_path)
    now = datetime.datetime.now(datetime.UTC)
    make_authority(study.authority, study="test", names=["localhost"], now=now)
    write_settings(study, SETTINGS)
    return study


def write_settings(folder: StudyFolder, settings: StudySettings) -> None:
    server = ServerSettings(address="localhost:1")
    write_toml(folder.study_file, StudyFile(study=settings, server=server))


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def answer(
    folder: StudyFolder, site: str, key: ec.EllipticCurvePrivateKey, role: Role = "train"
) -> Path:
    """The file that a site would hand back to an invitation of now."""
    path = folder.path / f"{site}.enrol"
    invited = site in read_register(folder).sites
    terms = read_document(invite(folder, site, role), Invitation) if invited else make_invitation()
    write_document(path, answer_to(terms.model_copy(update={"site": site}), key))
    return path


def test_an_invitation_tells_the_study_and_whom_to_trust(folder: StudyFolder) -> None:
    path = invite(folder, "aachen", "train")

    invitation = read_document(path, Invitation)
    assert invitation.address == "localhost:1"
    assert invitation.ca_certificate == Authority(folder.authority).ca_certificate.read_text()
    assert (invitation.site, invitation.role) == ("aachen", "train")
    assert invitation.settings == SETTINGS


def test_an_invitation_expires_after_two_weeks_or_the_given_days(folder: StudyFolder) -> None:
    fortnight = read_document(invite(folder, "a", "train", clock=lambda: NOW), Invitation)
    day = read_document(invite(folder, "b", "train", days=1, clock=lambda: NOW), Invitation)

    assert fortnight.expires == NOW + datetime.timedelta(days=14)
    assert day.expires == NOW + datetime.timedelta(days=1)


def test_an_invitation_can_be_joined_with(folder: StudyFolder) -> None:
    path = invite(folder, "aachen", "train", clock=lambda: NOW)

    invitation = read_invitation(path, contract_version=CONTRACT_VERSION, now=NOW)

    assert terms_of(invitation).digest()


def test_an_invitation_holds_no_private_key(folder: StudyFolder) -> None:
    text = invite(folder, "aachen", "train").read_text()

    assert "PRIVATE" not in text


def test_the_same_invitation_can_be_written_twice(folder: StudyFolder) -> None:
    first = invite(folder, "aachen", "train", clock=lambda: NOW).read_bytes()

    again = invite(folder, "aachen", "train", clock=lambda: NOW).read_bytes()

    assert again == first
    assert read_register(folder).names("train") == ("aachen",)


def test_an_invited_site_cannot_be_invited_in_another_role(folder: StudyFolder) -> None:
    invite(folder, "aachen", "train")

    with pytest.raises(ConfigError, match="already invited with the role train"):
        invite(folder, "aachen", "evaluate")
    assert read_register(folder).sites["aachen"].role == "train"


@pytest.mark.parametrize("name", ["../aachen", "Aachen", "a b", ""])
def test_a_name_that_is_no_plain_word_is_refused_before_anything_is_written(
    folder: StudyFolder, name: str
) -> None:
    with pytest.raises(ValidationError):
        invite(folder, name, "train")
    assert not folder.register.exists()


def test_an_enrolled_site_is_known_by_its_key(folder: StudyFolder) -> None:
    key = new_key()
    invite(folder, "aachen", "train")

    enrolled = enrol(folder, answer(folder, "aachen", key))

    assert (enrolled.site, enrolled.key_sha256) == ("aachen", fingerprint(key.public_key()))
    assert read_register(folder).enrolled() == {"aachen": key.public_key()}


def test_the_same_key_can_be_enrolled_twice(folder: StudyFolder) -> None:
    key = new_key()
    invite(folder, "aachen", "train")
    enrol(folder, answer(folder, "aachen", key))

    assert enrol(folder, answer(folder, "aachen", key)).site == "aachen"


def test_inviting_again_does_not_lose_the_enrolled_key(folder: StudyFolder) -> None:
    key = new_key()
    invite(folder, "aachen", "train")
    enrol(folder, answer(folder, "aachen", key))

    invite(folder, "aachen", "train")

    assert read_register(folder).enrolled() == {"aachen": key.public_key()}


def test_a_site_that_was_not_invited_is_refused(folder: StudyFolder) -> None:
    with pytest.raises(TrustError, match="aachen was not invited") as refused:
        enrol(folder, answer(folder, "aachen", new_key()))
    assert "bs-server invite aachen" in refused.value.remedy


def test_another_key_for_an_enrolled_site_is_refused(folder: StudyFolder) -> None:
    key = new_key()
    invite(folder, "aachen", "train")
    enrol(folder, answer(folder, "aachen", key))

    with pytest.raises(TrustError, match="enrolled with another key"):
        enrol(folder, answer(folder, "aachen", new_key()))
    assert read_register(folder).enrolled() == {"aachen": key.public_key()}


def test_one_key_cannot_speak_for_two_sites(folder: StudyFolder) -> None:
    key = new_key()
    invite(folder, "aachen", "train")
    invite(folder, "namur", "evaluate")
    enrol(folder, answer(folder, "aachen", key))

    with pytest.raises(TrustError, match="already enrolled for aachen"):
        enrol(folder, answer(folder, "namur", key, "evaluate"))


def test_a_site_that_agreed_to_other_settings_is_refused(folder: StudyFolder) -> None:
    invite(folder, "aachen", "train")
    enrolment = answer(folder, "aachen", new_key())
    write_settings(folder, SETTINGS.model_copy(update={"learning_rate": 2e-4}))

    with pytest.raises(TrustError, match="agreed to other settings") as refused:
        enrol(folder, enrolment)
    assert "Invite the site again" in refused.value.remedy


def test_a_site_that_approved_other_terms_is_refused(folder: StudyFolder) -> None:
    changed = read_document(invite(folder, "aachen", "train"), Invitation).model_copy(
        update={"address": "attacker.example.org:443"}
    )
    write_document(folder.path / "a.enrol", answer_to(changed, new_key()))

    with pytest.raises(TrustError, match="approved other terms") as refused:
        enrol(folder, folder.path / "a.enrol")
    assert "by telephone" in refused.value.remedy
    assert read_register(folder).sites["aachen"].public_key is None


def test_an_answer_that_was_changed_on_its_way_is_refused(folder: StudyFolder) -> None:
    invite(folder, "aachen", "train")
    path = answer(folder, "aachen", new_key())
    changed = json.loads(path.read_text()) | {"public_key": public_pem(new_key().public_key())}
    path.write_text(json.dumps(changed))

    with pytest.raises(TrustError, match="was changed after it was written"):
        enrol(folder, path)


def test_a_link_in_place_of_an_answer_is_refused(folder: StudyFolder) -> None:
    invite(folder, "aachen", "train")
    (folder.path / "link").symlink_to(answer(folder, "aachen", new_key()))

    with pytest.raises(ConfigError, match="a link"):
        enrol(folder, folder.path / "link")


def test_the_register_keeps_what_was_approved(folder: StudyFolder) -> None:
    path = invite(folder, "aachen", "train")

    enrolled = enrol(folder, answer(folder, "aachen", new_key()))

    expected = terms_of(read_document(path, Invitation)).digest()
    assert enrolled.terms_sha256 == read_register(folder).sites["aachen"].terms_sha256 == expected


def test_a_study_that_was_changed_after_approval_does_not_begin(folder: StudyFolder) -> None:
    for name in ("aachen", "aalborg"):
        invite(folder, name, "train")
        enrol(folder, answer(folder, name, new_key()))
    check_approved(folder, read_register(folder))

    write_settings(folder, SETTINGS.model_copy(update={"rounds": 99}))

    with pytest.raises(TrustError, match=r"approved by: aachen, aalborg\.") as refused:
        check_approved(folder, read_register(folder))
    assert "Take the change in study.toml back" in refused.value.remedy


def test_a_site_that_approves_the_change_is_admitted_with_the_same_key(
    folder: StudyFolder,
) -> None:
    key = new_key()
    invite(folder, "aachen", "train")
    enrol(folder, answer(folder, "aachen", key))
    write_settings(folder, SETTINGS.model_copy(update={"rounds": 99}))

    enrol(folder, answer(folder, "aachen", key))

    check_approved(folder, read_register(folder))
    assert read_register(folder).enrolled() == {"aachen": key.public_key()}


def test_a_key_on_a_curve_that_flower_does_not_take_is_refused(folder: StudyFolder) -> None:
    invite(folder, "aachen", "train")
    key = ec.generate_private_key(ec.SECP521R1())

    with pytest.raises(TrustError, match="P-256"):
        enrol(folder, answer(folder, "aachen", key))


def test_a_site_does_not_choose_its_role(folder: StudyFolder) -> None:
    invite(folder, "namur", "evaluate")
    path = answer(folder, "namur", new_key(), "evaluate")
    path.write_text(json.dumps({**json.loads(path.read_text()), "role": "train"}))

    with pytest.raises(ConfigError, match="role"):
        enrol(folder, path)


def test_a_study_does_not_begin_before_every_site_is_enrolled(folder: StudyFolder) -> None:
    for name in ("namur", "aachen", "aalborg"):
        invite(folder, name, "train")
    enrol(folder, answer(folder, "aachen", new_key()))

    with pytest.raises(ConfigError, match=r"Not enrolled yet: aalborg, namur\."):
        read_register(folder).enrolled()


def test_a_study_without_a_training_site_does_not_begin(folder: StudyFolder) -> None:
    invite(folder, "namur", "evaluate")
    enrol(folder, answer(folder, "namur", new_key(), "evaluate"))

    with pytest.raises(ConfigError, match="No site is invited to train"):
        read_register(folder).enrolled()


def test_sites_are_named_by_role_in_the_order_of_their_names(folder: StudyFolder) -> None:
    invite(folder, "namur", "evaluate")
    invite(folder, "brussels", "train")
    invite(folder, "aachen", "train")

    register = read_register(folder)

    assert register.names("train") == ("aachen", "brussels")
    assert register.names("evaluate") == ("namur",)


def test_a_register_that_was_damaged_is_refused(folder: StudyFolder) -> None:
    folder.register.write_text('{"sites": {"aachen": {"role": "boss"}}}')

    with pytest.raises(ConfigError, match="role"):
        read_register(folder)


def test_a_revoked_site_is_no_site_of_the_study_and_its_key_never_counts_again(
    folder: StudyFolder,
) -> None:
    key = new_key()
    invite(folder, "aachen", "train")
    enrolment = answer(folder, "aachen", key)
    enrol(folder, enrolment)

    assert revoke(folder, "aachen") == fingerprint(key.public_key())

    register = read_register(folder)
    assert (register.sites, register.keys()) == ({}, {})
    invite(folder, "aachen", "train")
    with pytest.raises(TrustError, match="revoked") as refused:
        enrol(folder, enrolment)
    assert "new folder" in refused.value.remedy


def test_a_revoked_site_can_come_back_with_a_new_key(folder: StudyFolder) -> None:
    invite(folder, "aachen", "train")
    enrol(folder, answer(folder, "aachen", new_key()))
    revoke(folder, "aachen")
    key = new_key()

    invite(folder, "aachen", "train")
    enrol(folder, answer(folder, "aachen", key))

    assert read_register(folder).enrolled() == {"aachen": key.public_key()}


def test_an_invitation_is_withdrawn_in_the_same_way(folder: StudyFolder) -> None:
    invite(folder, "aachen", "train")

    assert revoke(folder, "aachen") is None
    with pytest.raises(TrustError, match="was not invited"):
        enrol(folder, answer(folder, "aachen", new_key()))


def test_a_site_that_is_none_cannot_be_revoked(folder: StudyFolder) -> None:
    invite(folder, "namur", "evaluate")

    with pytest.raises(ConfigError, match="not a site") as refused:
        revoke(folder, "aachen")
    assert "namur" in refused.value.remedy


def change_role(register: dict[str, Any]) -> None:
    register["sites"]["namur"]["role"] = "train"


def change_key(register: dict[str, Any]) -> None:
    register["sites"]["namur"]["public_key"] = public_pem(new_key().public_key())


def add_site(register: dict[str, Any]) -> None:
    register["sites"]["eve"] = {"role": "train", "public_key": public_pem(new_key().public_key())}


def forget_a_revocation(register: dict[str, Any]) -> None:
    register["revoked"] = {}


@pytest.mark.parametrize("change", [change_role, change_key, add_site, forget_a_revocation])
def test_a_register_that_somebody_edited_is_refused(
    folder: StudyFolder, change: Callable[[dict[str, Any]], None]
) -> None:
    for name in ("aachen", "namur"):
        invite(folder, name, "evaluate")
        enrol(folder, answer(folder, name, new_key(), "evaluate"))
    revoke(folder, "aachen")
    register = json.loads(folder.register.read_text())
    change(register)
    folder.register.write_text(json.dumps(register))

    with pytest.raises(TrustError, match="signature does not fit") as refused:
        read_register(folder)
    assert "find out who wrote" in refused.value.remedy


def test_a_register_of_another_study_is_refused(folder: StudyFolder, tmp_path: Path) -> None:
    other = StudyFolder(tmp_path / "other")
    other.path.mkdir()
    now = datetime.datetime.now(datetime.UTC)
    make_authority(other.authority, study="other", names=["localhost"], now=now)
    write_settings(other, SETTINGS)
    invite(other, "aachen", "train")

    folder.register.write_bytes(other.register.read_bytes())

    with pytest.raises(TrustError, match="signature does not fit"):
        read_register(folder)


def test_every_change_has_a_higher_serial(folder: StudyFolder) -> None:
    invite(folder, "aachen", "train")
    first = read_register(folder).serial
    revoke(folder, "aachen")

    assert read_register(folder).serial > first
