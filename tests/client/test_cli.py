"""The site's commands of joining and auditing, without a network."""

from __future__ import annotations

import datetime
import json
from importlib import metadata
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from bs_client.cli import app, joining
from bs_client.config import Policy, SiteFolder
from bs_client.federation import preflight
from bs_client.federation.preflight import Finding, Verdict
from bs_common.audit import AuditLog, Passage
from bs_common.joining import Contact, Enrolment, read_document, write_document
from bs_common.settings import StudySettings
from bs_common.terms import terms_of
from support.invitations import make_invitation

TIME = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)


def call(*words: str | Path) -> Result:
    result = CliRunner().invoke(app, [str(word) for word in words])
    # Anything but an intended end is a traceback on the site's screen.
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


ALL_WELL = (Finding("clock", Verdict.OK, "within 2 s"),)


@pytest.fixture
def findings(monkeypatch: pytest.MonkeyPatch) -> list[Finding]:
    """What preflight will find, in place of trying; tests of it have a file of their own."""
    found = list(ALL_WELL)
    monkeypatch.setattr(preflight, "run_preflight", lambda *_, **__: iter(found))
    return found


@pytest.fixture
def folder(tmp_path: Path, findings: list[Finding]) -> Path:
    """A hospital's folder with an invitation, scans and labels; its name holds brackets."""
    place = tmp_path / "[hospital]"
    (place / "scans").mkdir(parents=True)
    (place / "labels.csv").write_text("study_uid,label\n")
    write_document(place / "aachen.invite", INVITATION)
    return place


INVITATION = make_invitation(coordinator=Contact(name="Prof. Madsen", contact="+45 1234"))
TERMS = terms_of(INVITATION).digest()


def join(folder: Path, *options: str, approve: str | None = TERMS) -> Result:
    data = ("--data", folder / "scans", "--labels", folder / "labels.csv")
    approval = ("--approve", approve) if approve else ()
    words = ("join", folder / "aachen.invite", *data, "--site", folder / "site")
    return call(*words, *approval, *options)


def test_join_tells_what_was_agreed_to_what_to_compare_and_what_to_send(folder: Path) -> None:
    result = join(folder)

    enrolment = folder / "site/aachen.enrol"
    assert result.exit_code == 0, result.stderr
    assert "Joined 'bones' as aachen, role train." in result.output
    assert f"Send {enrolment} to the coordinator." in result.output
    assert f"bs-client run {folder / 'site'}" in result.output
    fingerprint = result.output.partition("by telephone): ")[2][:64]
    assert len(bytes.fromhex(fingerprint)) == 32
    assert read_document(enrolment, Enrolment).site == "aachen"


def test_join_shows_the_terms_and_stops_with_the_command_to_approve_them(folder: Path) -> None:
    result = join(folder, approve=None)

    assert result.exit_code == 1
    for word in ("Prof. Madsen (+45 1234)", "Never leaves", f"SHA-256 of these terms: {TERMS}"):
        assert word in result.output
    assert f"--approve {TERMS}" in result.stderr
    assert not (folder / "site").exists()


@pytest.mark.parametrize(("answer", "joined"), [("y\n", True), ("n\n", False), ("\n", False)])
def test_join_asks_at_a_terminal(
    folder: Path, monkeypatch: pytest.MonkeyPatch, answer: str, joined: bool
) -> None:
    monkeypatch.setattr(joining, "_at_terminal", lambda: True)
    words = ["join", str(folder / "aachen.invite"), "--site", str(folder / "site")]
    words += ["--data", str(folder / "scans"), "--labels", str(folder / "labels.csv")]

    result = CliRunner().invoke(app, words, input=answer)

    assert "Does this site approve these terms?" in result.stderr
    assert (result.exit_code == 0) is joined
    assert (folder / "site/aachen.enrol").exists() is joined


def test_join_with_the_digest_of_other_terms_is_refused(folder: Path) -> None:
    result = join(folder, approve="0" * 64)

    assert result.exit_code == 1
    assert "not those that were approved" in result.stderr
    assert not (folder / "site").exists()


def test_join_after_a_change_shows_what_changed_and_asks_again(folder: Path) -> None:
    join(folder)
    changed = INVITATION.model_copy(update={"settings": StudySettings(name="bones", rounds=9)})
    write_document(folder / "aachen.invite", changed)

    asked = call("join", folder / "aachen.invite", "--site", folder / "site")
    done = call(
        *("join", folder / "aachen.invite", "--site", folder / "site"),
        *("--approve", terms_of(changed).digest()),
    )

    assert asked.exit_code == 1
    assert "What changed" in asked.output
    assert "Setting rounds" in asked.output
    assert "Never leaves" not in asked.output
    assert done.exit_code == 0


def test_join_stops_where_preflight_failed_and_writes_no_key(
    folder: Path, findings: list[Finding]
) -> None:
    findings.append(Finding("disk", Verdict.FAILED, "0.1 GiB free", "Free some space."))

    result = join(folder)

    assert result.exit_code == 1
    assert "Error: disk: 0.1 GiB free" in result.stderr
    assert "What to do: Free some space." in result.stderr
    assert not (folder / "site/key.pem").exists()


def test_join_goes_on_where_preflight_warned(folder: Path, findings: list[Finding]) -> None:
    findings.append(Finding("coordinator", Verdict.WARNING, "Nobody listens", "Start it."))

    result = join(folder)

    assert result.exit_code == 0
    assert "Nobody listens" in result.output


def test_preflight_alone_writes_nothing_and_asks_nothing(folder: Path) -> None:
    result = join(folder, "--preflight-only", approve=None)

    assert result.exit_code == 0, result.stderr
    assert "within 2 s" in result.output
    assert not (folder / "site").exists()


def test_preflight_can_be_tried_again_later(folder: Path, findings: list[Finding]) -> None:
    join(folder)
    well = call("preflight", folder / "site")
    findings.append(Finding("clock", Verdict.FAILED, "600 s ahead", "Set the clock."))

    ill = call("preflight", folder / "site")

    assert (well.exit_code, ill.exit_code) == (0, 1)
    assert "What to do: Set the clock." in ill.stderr


def test_join_hides_counts_below_five_unless_told_otherwise(folder: Path) -> None:
    join(folder)

    assert SiteFolder(folder / "site").read().policy == Policy(min_cell=5)


def test_join_keeps_the_smallest_count_and_the_proxy_that_it_was_given(folder: Path) -> None:
    join(folder, "--min-cell", "10", "--proxy", "http://proxy.example.org:3128")

    file = SiteFolder(folder / "site").read()
    assert file.policy.min_cell == 10
    assert file.connection.proxy == "http://proxy.example.org:3128"


def test_join_lets_models_of_this_site_out_and_more_be_judged_only_when_told(folder: Path) -> None:
    join(folder, "--release-local", "--external-models", "3")

    assert SiteFolder(folder / "site").read().policy == Policy(
        release_local=True, external_models=3
    )


@pytest.mark.parametrize("value", ["0", "1001", "-3", "five"])
def test_join_explains_a_smallest_count_out_of_range(folder: Path, value: str) -> None:
    result = join(folder, "--min-cell", value)

    assert result.exit_code == 2
    assert "--min-cell" in result.stderr
    assert not (folder / "site").exists()


def test_join_twice_is_safe_and_asks_once(folder: Path) -> None:
    first, again = join(folder), join(folder, approve=None)

    assert again.exit_code == 0, again.stderr
    assert "nothing has changed" in again.output
    assert again.output.splitlines()[-4:] == first.output.splitlines()[-4:]


def test_join_with_another_policy_is_explained(folder: Path) -> None:
    join(folder)

    result = join(folder, "--min-cell", "10")

    assert result.exit_code == 1
    assert "another policy" in result.stderr
    assert "What to do: Edit that file" in result.stderr


def test_join_with_an_expired_invitation_is_explained(folder: Path) -> None:
    expired = INVITATION.model_copy(update={"expires": TIME})
    write_document(folder / "aachen.invite", expired)

    result = join(folder)

    assert result.exit_code == 1
    assert "expired at 2026-01-02 03:04 UTC" in result.stderr
    assert "What to do: Ask the coordinator for the invitation again" in result.stderr


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


def test_the_version_is_that_of_the_package() -> None:
    assert call("--version").stdout == f"bs-client {metadata.version('bs-client')}\n"
