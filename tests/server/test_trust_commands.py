"""The coordinator's commands about trust: renew, revoke, audit, and where it listens."""

from __future__ import annotations

import csv
import datetime
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from bs_common.audit import AuditLog, Passage, read_log
from bs_common.keys import fingerprint, read_private_key
from bs_common.settings import StudySettings
from bs_server.cli import app
from bs_server.config import StudyFolder
from bs_server.trust.authority import Authority, certificate_names
from bs_server.trust.signed_register import read_register
from support.study_maker import MadeStudy, make_study

TIME = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)
SETTINGS = StudySettings(name="trust", backbone="random:1", trainable="head", rounds=3)


def call(*words: str | Path) -> Result:
    result = CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": "200"})
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.fixture
def study(tmp_path: Path) -> MadeStudy:
    made = make_study(tmp_path, SETTINGS, {"aachen": "train", "namur": "evaluate"})
    asked = Passage("out", "train", 1, ("arrays.w",), 5, "a" * 64, "passed", peer="aachen")
    for path, passages in (
        (
            made.folder.audit,
            [asked, Passage("in", "train", 1, (), 5, "b" * 64, "passed", "aachen")],
        ),
        (made.sites["aachen"].audit, [Passage("in", "train", 1, (), 5, "a" * 64, "passed")]),
    ):
        log = AuditLog(path, lambda: TIME)
        for passage in passages:
            log.record(passage)
    return made


@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_a_coordinator_is_reached_under_an_ipv6_address(tmp_path: Path, host: str) -> None:
    folder = StudyFolder(tmp_path / "study")

    assert call("init", folder.path, "--host", host, "--port", "8443").exit_code == 0

    server = folder.read().server
    assert (server.address, server.host) == ("[::1]:8443", "::")
    assert certificate_names(Authority(folder.authority)) == ("::1",)


def test_renew_tells_the_names_and_the_days(study: MadeStudy) -> None:
    result = call("renew", study.folder.path, "--san", "10.0.0.7")

    assert result.exit_code == 0
    assert "127.0.0.1, 10.0.0.7: 396 days" in result.output or "397 days" in result.output
    assert certificate_names(Authority(study.folder.authority)) == ("127.0.0.1", "10.0.0.7")


def test_revoke_tells_whose_key_it_was_and_the_way_back(study: MadeStudy) -> None:
    key = fingerprint(read_private_key(study.sites["aachen"].key).public_key())

    result = call("revoke", "aachen", "--study", study.folder.path)

    assert result.exit_code == 0
    assert key in result.output
    assert "bs-server invite aachen" in result.output
    assert read_register(study.folder).names("train") == ()


def test_revoking_nobody_names_the_sites(study: MadeStudy) -> None:
    result = call("revoke", "ghent", "--study", study.folder.path)

    assert result.exit_code == 1
    assert "aachen, namur" in result.output


def test_audit_shows_every_line_and_the_head(study: MadeStudy) -> None:
    result = call("audit", study.folder.path)

    assert result.exit_code == 0
    assert "2 entries; the chain is whole." in result.output
    assert read_log(study.folder.audit).head in result.output


def test_audit_proves_a_noted_head_and_refuses_one_that_is_gone(study: MadeStudy) -> None:
    first = read_log(study.folder.audit).hashes[0]

    assert "is line 1" in call("audit", study.folder.path, "--noted", first).output
    gone = call("audit", study.folder.path, "--noted", "f" * 64)
    assert gone.exit_code == 1
    assert "lines were cut off" in gone.output


def test_audit_is_exported(study: MadeStudy, tmp_path: Path) -> None:
    path = tmp_path / "audit.csv"

    call("audit", study.folder.path, "--export", path)

    assert [row["peer"] for row in csv.DictReader(path.open())] == ["aachen", "aachen"]


def test_audit_finds_what_a_site_s_log_does_not_have(study: MadeStudy) -> None:
    other = study.sites["aachen"].audit

    result = call("audit", study.folder.path, "--reconcile", other, "--site", "aachen")

    assert result.exit_code == 1
    assert "1 messages are in both logs" in result.output
    assert "the site's log does not have" in result.output


def test_audit_asks_whose_log_it_compares_with(study: MadeStudy) -> None:
    result = call("audit", study.folder.path, "--reconcile", study.sites["aachen"].audit)

    assert result.exit_code == 1
    assert "--site aachen" in result.output


def test_a_study_whose_keys_others_could_read_does_not_run(study: MadeStudy) -> None:
    Authority(study.folder.authority).ca_key.chmod(0o644)

    result = call("run", study.folder.path)

    assert result.exit_code == 1
    assert "chmod 600" in result.output


def test_a_study_folder_that_others_could_write_into_does_not_run(study: MadeStudy) -> None:
    study.folder.path.chmod(0o777)

    result = call("run", study.folder.path)

    assert result.exit_code == 1
    assert "chmod 700" in result.output
