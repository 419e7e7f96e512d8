"""Joining a study."""

from __future__ import annotations

import datetime
import json
import stat
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from bs_client.config import DataSettings, Policy, SiteFile, SiteFolder
from bs_client.federation.join import (
    Given,
    Joined,
    Offer,
    accept_offer,
    read_approved,
    read_offer,
)
from bs_common.errors import ConfigError, TrustError
from bs_common.joining import Enrolment, Invitation, read_document, write_document
from bs_common.keys import fingerprint, read_private_key, read_public_pem
from bs_common.settings import StudySettings
from bs_common.terms import terms_of
from bs_common.toml import write_toml
from support.invitations import NOW, ca_certificate, make_invitation

SETTINGS = StudySettings(name="bones")
HOUR = datetime.timedelta(hours=1)


@pytest.fixture
def data(tmp_path: Path) -> DataSettings:
    (tmp_path / "scans").mkdir()
    (tmp_path / "labels.csv").write_text("study_uid,label\n")
    return DataSettings(scans=tmp_path / "scans", labels=tmp_path / "labels.csv")


def offer(
    folder: Path, data: DataSettings, *, min_cell: int | None = None, **changes: Any
) -> Offer:
    write_document(folder / "aachen.invite", make_invitation(**changes))
    given = Given(scans=data.scans, labels=data.labels, min_cell=min_cell)
    return read_offer(SiteFolder(folder / "site"), folder / "aachen.invite", given, now=NOW)


def join(
    folder: Path,
    data: DataSettings,
    *,
    min_cell: int | None = None,
    now: datetime.datetime = NOW,
    **changes: Any,
) -> Joined:
    found = offer(folder, data, min_cell=min_cell, **changes)
    return accept_offer(found, terms_sha256=found.terms.digest(), now=now)


def test_the_answer_holds_the_public_half_of_a_key_made_here(
    tmp_path: Path, data: DataSettings
) -> None:
    joined = join(tmp_path, data)

    enrolment = read_document(joined.enrolment, Enrolment)
    key = read_private_key(tmp_path / "site/key.pem")
    assert isinstance(key.curve, ec.SECP256R1)
    assert read_public_pem(enrolment.public_key) == key.public_key()
    assert joined.key_sha256 == fingerprint(key.public_key())
    assert (enrolment.site, enrolment.study) == ("aachen", "bones")
    assert enrolment.settings_sha256 == SETTINGS.digest()
    enrolment.check_signature()


def test_no_private_key_and_no_path_is_in_the_answer(tmp_path: Path, data: DataSettings) -> None:
    text = join(tmp_path, data).enrolment.read_text()

    assert "PRIVATE" not in text
    assert str(tmp_path) not in text
    assert set(json.loads(text)) == {
        "site",
        "study",
        "settings_sha256",
        "terms_sha256",
        "approved",
        "public_key",
        "signature",
    }


def test_the_answer_says_which_terms_were_approved_when(tmp_path: Path, data: DataSettings) -> None:
    enrolment = read_document(join(tmp_path, data).enrolment, Enrolment)

    assert enrolment.terms_sha256 == terms_of(make_invitation()).digest()
    assert enrolment.approved == NOW


def test_without_approval_nothing_is_written(tmp_path: Path, data: DataSettings) -> None:
    found = offer(tmp_path, data)

    with pytest.raises(TrustError, match="not those that were approved") as refused:
        accept_offer(found, terms_sha256="0" * 64, now=NOW)
    assert found.terms.digest() in refused.value.remedy
    assert not (tmp_path / "site").exists()


def test_folder_and_key_are_the_owners_alone(tmp_path: Path, data: DataSettings) -> None:
    join(tmp_path, data)

    assert stat.S_IMODE((tmp_path / "site").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "site/key.pem").stat().st_mode) == 0o600


def test_the_site_keeps_what_it_agreed_to(tmp_path: Path, data: DataSettings) -> None:
    join(tmp_path, data, min_cell=10)

    folder = SiteFolder(tmp_path / "site")
    assert folder.read_invitation().ca_certificate == ca_certificate()
    assert folder.read_invitation().settings == SETTINGS
    assert (folder.read().data, folder.read().policy.min_cell) == (data, 10)
    invitation, approval = read_approved(folder)
    assert terms_of(invitation).digest() == approval.terms_sha256


def test_joining_twice_keeps_the_key_and_the_time_of_approval(
    tmp_path: Path, data: DataSettings
) -> None:
    first = join(tmp_path, data)
    answer = read_document(first.enrolment, Enrolment)

    again = join(tmp_path, data, now=NOW + HOUR)

    assert again.key_sha256 == first.key_sha256
    assert read_document(again.enrolment, Enrolment).approved == answer.approved == NOW


def test_a_joined_site_joins_again_without_naming_its_data(
    tmp_path: Path, data: DataSettings
) -> None:
    join(tmp_path, data)

    found = read_offer(SiteFolder(tmp_path / "site"), tmp_path / "aachen.invite", Given(), now=NOW)

    assert found.file.data == data
    assert found.is_approved
    assert found.changes == ()


def test_a_new_site_must_name_its_data(tmp_path: Path) -> None:
    write_document(tmp_path / "aachen.invite", make_invitation())

    with pytest.raises(ConfigError, match="has not joined yet") as refused:
        read_offer(SiteFolder(tmp_path / "site"), tmp_path / "aachen.invite", Given(), now=NOW)
    assert "--data DIR --labels CSV" in refused.value.remedy


def test_changed_settings_are_shown_and_must_be_approved_anew(
    tmp_path: Path, data: DataSettings
) -> None:
    first = join(tmp_path, data)
    other = SETTINGS.model_copy(update={"rounds": 9})

    found = offer(tmp_path, data, settings=other)

    assert not found.is_approved
    assert [change.heading for change in found.changes] == ["Rounds", "Setting rounds"]
    joined = accept_offer(found, terms_sha256=found.terms.digest(), now=NOW + HOUR)
    enrolment = read_document(joined.enrolment, Enrolment)
    assert (enrolment.settings_sha256, enrolment.approved) == (other.digest(), NOW + HOUR)
    assert joined.key_sha256 == first.key_sha256
    assert SiteFolder(tmp_path / "site").read_invitation().settings == other


def test_an_earlier_approval_does_not_cover_a_change(tmp_path: Path, data: DataSettings) -> None:
    join(tmp_path, data)
    found = offer(tmp_path, data, settings=SETTINGS.model_copy(update={"rounds": 9}))

    with pytest.raises(TrustError):
        accept_offer(found, terms_sha256=terms_of(make_invitation()).digest(), now=NOW)
    assert SiteFolder(tmp_path / "site").read_invitation().settings == SETTINGS


def test_an_invitation_put_into_the_folder_by_hand_is_not_approved(
    tmp_path: Path, data: DataSettings
) -> None:
    join(tmp_path, data)
    folder = SiteFolder(tmp_path / "site")
    write_document(folder.invitation, make_invitation(address="attacker.example.org:443"))

    with pytest.raises(TrustError, match="these terms were not approved here"):
        read_approved(folder)


@pytest.mark.parametrize(
    "changes", [{"site": "aalborg"}, {"settings": StudySettings(name="other")}]
)
def test_a_folder_serves_one_site_of_one_study(
    tmp_path: Path, data: DataSettings, changes: dict[str, Any]
) -> None:
    join(tmp_path, data)

    with pytest.raises(ConfigError, match="belongs to aachen in the study 'bones'") as refused:
        offer(tmp_path, data, **changes)
    assert "--site DIR" in refused.value.remedy


def test_the_sites_own_settings_survive_joining_again(tmp_path: Path, data: DataSettings) -> None:
    join(tmp_path, data)
    site_file = tmp_path / "site/site.toml"
    site_file.write_text(site_file.read_text().replace("threads = 2", "threads = 8"))

    join(tmp_path, data)

    assert SiteFolder(tmp_path / "site").read().compute.threads == 8


def test_another_policy_or_folder_is_never_passed_over_in_silence(
    tmp_path: Path, data: DataSettings
) -> None:
    join(tmp_path, data)
    other = data.model_copy(update={"scans": tmp_path})

    with pytest.raises(ConfigError, match="another policy") as refused:
        join(tmp_path, data, min_cell=10)
    with pytest.raises(ConfigError, match="other data"):
        join(tmp_path, other)
    assert "Edit that file" in refused.value.remedy


@pytest.mark.parametrize(
    ("policy", "code"),
    [
        (Policy(scopes=("head",)), "policy_scope"),
        (Policy(max_rounds=5), "policy_rounds"),
        (Policy(messages=()), "policy_message"),
    ],
)
def test_a_study_that_asks_more_than_the_site_allows_is_refused_at_once(
    tmp_path: Path, data: DataSettings, policy: Policy, code: str
) -> None:
    folder = SiteFolder(tmp_path / "site")
    folder.path.mkdir()
    write_toml(folder.site_file, SiteFile(data=data, policy=policy))

    with pytest.raises(ConfigError, match=code) as refused:
        offer(tmp_path, data)
    assert "Tell the coordinator" in refused.value.remedy
    assert not folder.key.exists()


def test_a_key_that_others_could_read_is_not_used_again(tmp_path: Path, data: DataSettings) -> None:
    join(tmp_path, data)
    (tmp_path / "site/key.pem").chmod(0o644)

    with pytest.raises(TrustError, match="other users can read"):
        join(tmp_path, data)


def test_scans_or_labels_that_are_not_there_are_refused_before_anything_is_made(
    tmp_path: Path, data: DataSettings
) -> None:
    no_scans = data.model_copy(update={"scans": tmp_path / "absent"})
    no_labels = data.model_copy(update={"labels": tmp_path / "absent.csv"})

    with pytest.raises(ConfigError, match="not a folder") as scans:
        join(tmp_path, no_scans)
    with pytest.raises(ConfigError, match="not a file") as labels:
        join(tmp_path, no_labels)
    assert "--data" in scans.value.remedy
    assert "--labels" in labels.value.remedy
    assert not (tmp_path / "site").exists()


@pytest.mark.parametrize("proxy", ["proxy:3128", "socks5://a:1", "http://a b", "http://a/path"])
def test_a_proxy_that_is_none_is_refused(tmp_path: Path, data: DataSettings, proxy: str) -> None:
    write_document(tmp_path / "aachen.invite", make_invitation())
    given = Given(scans=data.scans, labels=data.labels, proxy=proxy)

    with pytest.raises(ConfigError, match="--proxy"):
        read_offer(SiteFolder(tmp_path / "site"), tmp_path / "aachen.invite", given, now=NOW)


def test_a_changed_invitation_is_refused_before_anything_is_made(
    tmp_path: Path, data: DataSettings
) -> None:
    (tmp_path / "a.invite").write_text('{"site": "aachen", "role": "admin"}')
    given = Given(scans=data.scans, labels=data.labels)

    with pytest.raises(ConfigError, match="role"):
        read_offer(SiteFolder(tmp_path / "site"), tmp_path / "a.invite", given, now=NOW)
    assert not (tmp_path / "site").exists()


def test_the_held_invitation_is_the_one_that_was_read(tmp_path: Path, data: DataSettings) -> None:
    join(tmp_path, data)

    assert read_document(tmp_path / "site/invitation.json", Invitation) == make_invitation()
