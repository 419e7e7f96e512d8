"""A newcomer's way into a study, with the commands of both sides and nothing put in their place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from bs_client import cli as client
from bs_client.config import DataSettings
from bs_client.phantom.cohort import CohortCounts, write_cohort
from bs_client.phantom.site_style import STYLES
from bs_server import cli as server
from bs_server.cli.shell import now
from bs_server.config import StudyFolder
from bs_server.trust.authority import make_authority
from bs_server.trust.register import check_approved
from bs_server.trust.signed_register import read_register
from support.study_maker import free_port
from support.tls_server import HOST, refusal, tls_server

pytestmark = [pytest.mark.integration, pytest.mark.slow]


def call(side: object, *words: str | Path) -> Result:
    result = CliRunner().invoke(side.app, [str(word) for word in words])  # type: ignore[attr-defined]
    # Anything but an intended end is a traceback on somebody's screen.
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DataSettings:
    folder = tmp_path_factory.mktemp("data")
    counts = CohortCounts(
        train_positive=2, train_negative=2, validation_positive=1, validation_negative=1
    )
    labels = write_cohort(
        folder, style=STYLES["aachen"], counts=counts, seed=1, preset="conspicuous"
    )
    return DataSettings(scans=folder / "scans", labels=labels)


@pytest.fixture
def invited(tmp_path: Path) -> tuple[StudyFolder, dict[str, str]]:
    """A study, and what `bs-server invite aachen --json` said."""
    study = tmp_path / "study"
    call(server, "init", study, "--host", HOST, "--port", str(free_port()))
    words = ("invite", "aachen", "--role", "train", "--study", study, "--json")
    return StudyFolder(study), json.loads(call(server, *words).output)


def join(invitation: str, data: DataSettings, site: Path, terms: str) -> Result:
    given = ("--data", data.scans, "--labels", data.labels)
    return call(client, "join", invitation, *given, "--site", site, "--approve", terms)


def test_a_site_joins_before_the_coordinator_runs_and_is_enrolled(
    tmp_path: Path, data: DataSettings, invited: tuple[StudyFolder, dict[str, str]]
) -> None:
    study, facts = invited
    site = tmp_path / "site"

    joined = join(facts["file"], data, site, facts["terms_sha256"])
    enrolled = call(server, "enrol", site / "aachen.enrol", "--study", study.path)

    assert joined.exit_code == 0, joined.stderr
    assert "Nobody listens" in joined.output  # a warning with its remedy
    assert "6 accepted" in joined.output
    assert enrolled.exit_code == 0, enrolled.stderr
    fingerprint = joined.output.partition("by telephone): ")[2][:64]
    assert f"enrolled with key {fingerprint}" in enrolled.output
    check_approved(study, read_register(study))


def test_a_stranger_at_the_coordinators_address_stops_joining(
    tmp_path: Path, data: DataSettings, invited: tuple[StudyFolder, dict[str, str]]
) -> None:
    study, _ = invited
    stranger = make_authority(tmp_path / "other", study="bone-scan", names=[HOST], now=now())
    with tls_server(stranger, refusal(now())) as port:
        text = study.study_file.read_text()
        address = study.read().server.address
        study.study_file.write_text(text.replace(address, f"{HOST}:{port}"))
        words = ("invite", "aachen", "--role", "train", "--study", study.path, "--json")
        facts = json.loads(call(server, *words).output)

        result = join(facts["file"], data, tmp_path / "site", facts["terms_sha256"])

    assert result.exit_code == 1
    assert "not from this study's authority" in result.stderr
    assert "Compare the authority's fingerprint" in result.stderr
    assert not (tmp_path / "site/key.pem").exists()


def test_scans_that_cannot_be_read_stop_joining(
    tmp_path: Path, invited: tuple[StudyFolder, dict[str, str]]
) -> None:
    _, facts = invited
    (tmp_path / "scans").mkdir()
    (tmp_path / "scans/a.dcm").write_text("not DICOM")
    (tmp_path / "labels.csv").write_text("study_uid,label\n1.2.3,metastasis\n")
    unreadable = DataSettings(scans=tmp_path / "scans", labels=tmp_path / "labels.csv")

    result = join(facts["file"], unreadable, tmp_path / "site", facts["terms_sha256"])

    assert result.exit_code == 1
    assert "scans: 1 files: 0 accepted, 1 refused" in result.stderr
    assert "No scan was accepted" in result.stderr
    assert "What to do: Correct scans or labels" in result.stderr
