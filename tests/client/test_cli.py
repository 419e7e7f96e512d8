"""The site's commands of joining and auditing, without a network."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from bs_client.cli import app
from bs_client.config import SiteFolder
from bs_common.audit import AuditLog, Passage
from bs_common.joining import Enrolment, Invitation, read_document, write_document
from bs_common.settings import StudySettings

TIME = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)


def call(*words: str | Path) -> Result:
    result = CliRunner().invoke(app, [str(word) for word in words])
    # Anything but an intended end is a traceback on the site's screen.
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A hospital's folder with an invitation, scans and labels; its name holds brackets."""
    place = tmp_path / "[hospital]"
    (place / "scans").mkdir(parents=True)
    (place / "labels.csv").write_text("study_uid,label\n")
    invitation = Invitation(
        address="localhost:1",
        ca_certificate="-----BEGIN CERTIFICATE-----\n",
        site="aachen",
        role="train",
        settings=StudySettings(name="bones"),
    )
    write_document(place / "aachen.invite", invitation)
    return place


def join(folder: Path, *options: str) -> Result:
    data = ("--data", folder / "scans", "--labels", folder / "labels.csv")
    return call("join", folder / "aachen.invite", *data, "--site", folder / "site", *options)


def test_join_tells_what_was_agreed_to_what_to_compare_and_what_to_send(folder: Path) -> None:
    result = join(folder)

    enrolment = folder / "site/aachen.enrol"
    assert result.exit_code == 0
    assert "Joined 'bones' as aachen, role train." in result.output
    assert f"Send {enrolment} to the coordinator." in result.output
    assert f"bs-client run {folder / 'site'}" in result.output
    fingerprint = result.output.partition("by telephone): ")[2][:64]
    assert len(bytes.fromhex(fingerprint)) == 32
    assert read_document(enrolment, Enrolment).site == "aachen"


def test_join_hides_counts_below_five_unless_told_otherwise(folder: Path) -> None:
    join(folder)

    assert SiteFolder(folder / "site").read().policy.min_cell == 5


def test_join_keeps_the_smallest_count_that_it_was_given(folder: Path) -> None:
    join(folder, "--min-cell", "10")

    assert SiteFolder(folder / "site").read().policy.min_cell == 10


@pytest.mark.parametrize("value", ["0", "1001", "-3", "five"])
def test_join_explains_a_smallest_count_out_of_range(folder: Path, value: str) -> None:
    result = join(folder, "--min-cell", value)

    assert result.exit_code == 2
    assert "--min-cell" in result.stderr
    assert not (folder / "site").exists()


def test_join_twice_is_safe(folder: Path) -> None:
    first, again = join(folder), join(folder)

    assert again.exit_code == 0
    assert again.output == first.output


def test_join_with_another_policy_is_explained(folder: Path) -> None:
    join(folder)

    result = join(folder, "--min-cell", "10")

    assert result.exit_code == 1
    assert "another min_cell" in result.stderr
    assert "What to do: Edit that file" in result.stderr


def test_join_explains_an_absent_folder_and_an_odd_invitation(folder: Path) -> None:
    (folder / "scans").rmdir()
    absent = join(folder)
    (folder / "aachen.invite").write_text("{}")
    odd = join(folder)

    assert (absent.exit_code, odd.exit_code) == (1, 1)
    assert f"{folder / 'scans'}: not a folder" in absent.stderr
    assert "not a valid invitation" in odd.stderr


def record(folder: Path, message_type: str = "train") -> AuditLog:
    (folder / "site").mkdir(exist_ok=True)
    log = AuditLog(SiteFolder(folder / "site").audit, lambda: TIME)
    log.record(
        Passage(
            direction="out",
            message_type=message_type,
            round_number=2,
            keys=("metrics.loss",),
            size_bytes=1234,
            content_sha256="0" * 64,
            verdict="passed",
        )
    )
    return log


def test_audit_shows_every_passage_and_that_the_chain_is_whole(folder: Path) -> None:
    record(folder)
    record(folder, "[/evaluate]")  # a stranger's word, which must not be taken for markup

    result = call("audit", folder / "site")

    assert result.exit_code == 0
    assert "2 entries; the chain is whole." in result.output
    assert "train" in result.output
    assert "1234" in result.output


def test_audit_finds_a_changed_line_and_says_where(folder: Path) -> None:
    record(folder)
    record(folder)
    path = SiteFolder(folder / "site").audit
    path.write_text(path.read_text().replace("1234", "1235", 1))

    result = call("audit", folder / "site")

    assert result.exit_code == 1
    assert "the chain breaks before line 2" in result.stderr
    assert "What to do: Keep the file" in result.stderr
    assert json.loads(path.read_text().splitlines()[0])["size_bytes"] == 1235


def test_audit_before_anything_passed_is_explained(folder: Path) -> None:
    result = call("audit", folder / "site")

    assert result.exit_code == 1
    assert "nothing has passed yet" in result.stderr


def test_every_command_says_in_one_sentence_what_it_does() -> None:
    for command in app.registered_commands:
        text = (command.callback.__doc__ or "") if command.callback else ""
        assert text.strip().splitlines()[0].endswith(".")
