"""`bs-client run`: one process in a folder, and an end in time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bs_client.cli import app
from bs_client.config import DataSettings, SiteFile, SiteFolder
from bs_common.health import HealthSettings
from bs_common.lock import own_folder
from bs_common.toml import write_toml

pytestmark = pytest.mark.integration


@pytest.fixture
def signals() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def site(tmp_path: Path) -> SiteFolder:
    folder = SiteFolder(tmp_path)
    data = DataSettings(scans=tmp_path, labels=tmp_path / "labels.csv")
    write_toml(folder.site_file, SiteFile(data=data))
    return folder


@pytest.mark.usefixtures("signals")
def test_a_folder_that_another_process_works_in_is_refused_with_its_owner(
    site: SiteFolder,
) -> None:
    with own_folder(site.path, program="bs-client run"):
        result = CliRunner().invoke(app, ["run", str(site.path)])

    assert result.exit_code == 1
    assert f"process {os.getpid()} on " in result.output


@pytest.mark.usefixtures("signals")
def test_a_health_address_that_others_can_reach_is_refused(site: SiteFolder) -> None:
    text = site.site_file.read_text()
    site.site_file.write_text(text.replace("[health]", '[health]\naddress = "0.0.0.0:9000"'))

    result = CliRunner().invoke(app, ["run", str(site.path)])

    assert result.exit_code == 1
    assert "loopback" in result.output


def test_health_is_off_unless_an_address_is_given(site: SiteFolder) -> None:
    assert site.read().health == HealthSettings(address=None)


def test_a_site_that_is_still_loading_ends_in_time_when_told(site: SiteFolder) -> None:
    (site.path / "invitation.json").write_text("never read: the libraries load first")
    command = [str(Path(sys.executable).parent / "bs-client"), "run", str(site.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        end = time.monotonic() + 60
        while not (site.path / "lock.json").exists() and time.monotonic() < end:
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        status = process.wait(10)

    assert status == 0
