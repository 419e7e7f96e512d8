"""Joining a study."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from bs_client.config import DataSettings, Policy, SiteFolder
from bs_client.federation.join import Joined, join_study
from bs_common.errors import ConfigError, TrustError
from bs_common.joining import Enrolment, Invitation, read_document, write_document
from bs_common.keys import fingerprint, read_private_key, read_public_pem
from bs_common.settings import StudySettings

SETTINGS = StudySettings(name="bones")
DEFAULT_POLICY = Policy()
PEM = "-----BEGIN CERTIFICATE-----\n"


@pytest.fixture
def data(tmp_path: Path) -> DataSettings:
    (tmp_path / "scans").mkdir()
    (tmp_path / "labels.csv").write_text("study_uid,label\n")
    return DataSettings(scans=tmp_path / "scans", labels=tmp_path / "labels.csv")


def join(
    folder: Path,
    data: DataSettings,
    *,
    settings: StudySettings = SETTINGS,
    policy: Policy = DEFAULT_POLICY,
) -> Joined:
    invitation = Invitation(
        address="localhost:1", ca_certificate=PEM, site="aachen", role="train", settings=settings
    )
    write_document(folder / "aachen.invite", invitation)
    site = SiteFolder(folder / "site")
    return join_study(site, folder / "aachen.invite", data=data, policy=policy)


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


def test_no_private_key_and_no_path_is_in_the_answer(tmp_path: Path, data: DataSettings) -> None:
    text = join(tmp_path, data).enrolment.read_text()

    assert "PRIVATE" not in text
    assert str(tmp_path) not in text
    assert set(json.loads(text)) == {"site", "study", "settings_sha256", "public_key"}


def test_folder_and_key_are_the_owners_alone(tmp_path: Path, data: DataSettings) -> None:
    join(tmp_path, data)

    assert stat.S_IMODE((tmp_path / "site").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "site/key.pem").stat().st_mode) == 0o600


def test_the_site_keeps_what_it_agreed_to(tmp_path: Path, data: DataSettings) -> None:
    join(tmp_path, data, policy=Policy(min_cell=10))

    folder = SiteFolder(tmp_path / "site")
    assert folder.read_invitation().ca_certificate == PEM
    assert folder.read_invitation().settings == SETTINGS
    assert (folder.read().data, folder.read().policy.min_cell) == (data, 10)


def test_joining_twice_keeps_the_key(tmp_path: Path, data: DataSettings) -> None:
    first = join(tmp_path, data)

    again = join(tmp_path, data)

    assert again.key_sha256 == first.key_sha256


def test_new_settings_are_agreed_to_by_joining_again(tmp_path: Path, data: DataSettings) -> None:
    join(tmp_path, data)
    other = SETTINGS.model_copy(update={"rounds": 9})

    joined = join(tmp_path, data, settings=other)

    assert read_document(joined.enrolment, Enrolment).settings_sha256 == other.digest()
    assert SiteFolder(tmp_path / "site").read_invitation().settings == other


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

    with pytest.raises(ConfigError, match="another min_cell") as refused:
        join(tmp_path, data, policy=Policy(min_cell=10))
    with pytest.raises(ConfigError, match="other data"):
        join(tmp_path, other)
    assert "Edit that file" in refused.value.remedy


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


def test_a_changed_invitation_is_refused_before_anything_is_made(
    tmp_path: Path, data: DataSettings
) -> None:
    (tmp_path / "a.invite").write_text('{"site": "aachen", "role": "admin"}')

    with pytest.raises(ConfigError, match="role"):
        join_study(SiteFolder(tmp_path / "site"), tmp_path / "a.invite", data=data, policy=Policy())
    assert not (tmp_path / "site").exists()
