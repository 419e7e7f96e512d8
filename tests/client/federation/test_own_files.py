"""A site's own files, before a study is run with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from bs_client.config import DataSettings, Policy, SiteFolder
from bs_client.federation.own_files import check_own_files
from bs_common.errors import ConfigError, TrustError
from bs_common.joining import write_document
from support.invitations import make_invitation
from support.study_maker import join_study


@pytest.fixture
def site(tmp_path: Path) -> SiteFolder:
    (tmp_path / "labels.csv").touch()
    write_document(tmp_path / "aachen.invite", make_invitation())
    data = DataSettings(scans=tmp_path, labels=tmp_path / "labels.csv")
    folder = SiteFolder(tmp_path / "site")
    join_study(folder, tmp_path / "aachen.invite", data=data, policy=Policy())
    return folder


def test_what_joining_made_is_well(site: SiteFolder) -> None:
    check_own_files(site)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_key_that_others_could_read_is_refused(site: SiteFolder, mode: int) -> None:
    site.key.chmod(mode)

    with pytest.raises(TrustError, match="other users can read") as refused:
        check_own_files(site)
    assert f"chmod 600 {site.key}" in refused.value.remedy


@pytest.mark.parametrize("name", ["path", "site_file", "invitation", "approval"])
@pytest.mark.parametrize("more", [0o020, 0o002])
def test_what_others_could_change_is_refused(site: SiteFolder, name: str, more: int) -> None:
    path: Path = getattr(site, name)
    path.chmod(path.stat().st_mode | more)

    with pytest.raises(TrustError, match="other users can change it") as refused:
        check_own_files(site)
    assert refused.value.remedy == f"chmod go-w {path}"


def test_a_folder_where_nobody_approved_the_terms_is_refused(site: SiteFolder) -> None:
    site.approval.unlink()

    with pytest.raises(ConfigError, match="nobody has approved") as refused:
        check_own_files(site)
    assert "bs-client join" in refused.value.remedy
