"""The coordinator's commands, without a network."""

from __future__ import annotations

import datetime
import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import click
import pytest
import typer
from click.testing import Result
from cryptography.hazmat.primitives.asymmetric import ec
from typer.testing import CliRunner

from bs_common.joining import Contact, Invitation, read_document, write_document
from bs_common.keys import fingerprint
from bs_common.terms import terms_of
from bs_server.cli import COMMANDS, app
from bs_server.config import StudyFolder
from support.invitations import answer_to, make_invitation


def call(*words: str | Path) -> Result:
    result = CliRunner().invoke(app, [str(word) for word in words])
    # Anything but an intended end is a traceback on the coordinator's screen.
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.fixture
def study(tmp_path: Path) -> StudyFolder:
    folder = StudyFolder(tmp_path / "a [study]")
    result = call("init", folder.path, "--host", "coordinator.example.org", "--name", "bones")
    assert result.exit_code == 0
    return folder


def enrolment(study: StudyFolder, site: str) -> tuple[Path, ec.EllipticCurvePublicKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    invited = study.invitations / f"{site}.invite"
    invitation = read_document(invited, Invitation) if invited.exists() else make_invitation()
    path = study.path / f"{site}.enrol"
    write_document(path, answer_to(invitation.model_copy(update={"site": site}), key))
    return path, key.public_key()


def test_init_makes_a_study_and_tells_the_next_step(tmp_path: Path) -> None:
    result = call("init", tmp_path / "study", "--host", "10.0.0.1", "--port", "443")

    assert result.exit_code == 0
    assert "bs-server invite SITE" in result.output
    server = StudyFolder(tmp_path / "study").read().server
    assert (server.address, server.port) == ("10.0.0.1:443", 443)
    assert (tmp_path / "study").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(("profile", "trainable"), [("paper", "all"), ("fast", "head")])
def test_init_after_a_profile_shows_it_beside_the_paper(
    tmp_path: Path, profile: str, trainable: str
) -> None:
    result = call("init", tmp_path / profile, "--host", "a", "--profile", profile)

    settings = StudyFolder(tmp_path / profile).read().study
    assert settings.trainable == trainable
    assert "what the paper" in result.stdout
    assert ("differs" in result.stdout) is (profile == "fast")


def test_init_run_twice_changes_nothing(study: StudyFolder) -> None:
    before = {p: p.read_bytes() for p in study.path.rglob("*") if p.is_file()}

    result = call("init", study.path, "--host", "other.example.org")

    assert result.exit_code == 0
    assert "nothing was changed" in result.output
    assert {p: p.read_bytes() for p in study.path.rglob("*") if p.is_file()} == before


def test_two_studies_do_not_share_their_seed(tmp_path: Path) -> None:
    for name in ("one", "two"):
        call("init", tmp_path / name, "--host", "a")

    seeds = {StudyFolder(tmp_path / name).read().study.seed for name in ("one", "two")}
    assert len(seeds) == 2


@pytest.mark.parametrize(
    ("options", "field"),
    [
        (("--host", "a", "--name", "My Study"), "name"),
        (("--host", "https://a"), "address"),
        (("--host", "a", "--port", "70000"), "port"),
    ],
)
def test_init_explains_a_wrong_option_and_makes_nothing(
    tmp_path: Path, options: tuple[str, ...], field: str
) -> None:
    result = call("init", tmp_path / "study", *options)

    assert result.exit_code == 1
    assert f"Error: {field}:" in result.stderr
    assert not (tmp_path / "study").exists()


def test_invite_writes_the_file_and_tells_what_to_do_with_it(study: StudyFolder) -> None:
    result = call("invite", "aachen", "--role", "train", "--study", study.path)

    path = study.invitations / "aachen.invite"
    assert result.exit_code == 0
    assert f"Send {path} to aachen." in result.output  # in one line, brackets and all
    assert "bs-client join aachen.invite" in result.output
    invitation = read_document(path, Invitation)
    assert invitation.address == "coordinator.example.org:8443"
    assert f"SHA-256 of the terms: {terms_of(invitation).digest()}" in result.output
    assert f"bs-server enrol aachen.enrol --study {study.path}" in result.output
    assert f"expires at {invitation.expires:%Y-%m-%d %H:%M} UTC" in result.output


def test_invite_gives_a_program_what_it_needs(study: StudyFolder) -> None:
    words = ("invite", "aachen", "--role", "train", "--study", study.path, "--days", "3")

    facts = json.loads(call(*words, "--json").output)

    invitation = read_document(Path(facts["file"]), Invitation)
    assert facts["terms_sha256"] == terms_of(invitation).digest()
    assert facts["ca_sha256"] == invitation.ca_sha256
    assert invitation.expires is not None
    left = invitation.expires - datetime.datetime.now(datetime.UTC)
    assert datetime.timedelta(days=2.9) < left <= datetime.timedelta(days=3)


def test_the_coordinator_is_named_to_the_sites(tmp_path: Path) -> None:
    named = ("--coordinator", "Prof. Madsen", "--contact", "+45 1234")
    call("init", tmp_path / "study", "--host", "a", *named)
    call("invite", "aachen", "--role", "train", "--study", tmp_path / "study")

    invitation = read_document(tmp_path / "study/invitations/aachen.invite", Invitation)

    assert invitation.coordinator == Contact(name="Prof. Madsen", contact="+45 1234")


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("aachen", "--role", "boss"), 2, "--role"),
        (("Aachen", "--role", "train"), 1, "Error: site:"),
        (("../aachen", "--role", "train"), 1, "Error: site:"),
    ],
)
def test_invite_explains_a_wrong_role_or_name(
    study: StudyFolder, words: tuple[str, ...], status: int, said: str
) -> None:
    result = call("invite", *words, "--study", study.path)

    assert result.exit_code == status
    assert said in result.stderr
    assert not study.register.exists()


def test_invite_in_another_role_is_refused(study: StudyFolder) -> None:
    call("invite", "aachen", "--role", "train", "--study", study.path)

    result = call("invite", "aachen", "--role", "evaluate", "--study", study.path)

    assert result.exit_code == 1
    assert "already invited" in result.stderr


def test_a_folder_without_a_study_is_explained_with_its_remedy(tmp_path: Path) -> None:
    for words in (("invite", "aachen", "--role", "train", "--study"), ("run",)):
        result = call(*words, tmp_path)

        assert result.exit_code == 1
        assert "holds no study.toml" in result.stderr
        assert "What to do: Make a study with: bs-server init" in result.stderr


def test_enrol_shows_the_fingerprint_to_compare(study: StudyFolder) -> None:
    call("invite", "aachen", "--role", "train", "--study", study.path)
    path, key = enrolment(study, "aachen")

    result = call("enrol", path, "--study", study.path)

    assert result.exit_code == 0
    assert f"aachen is enrolled with key {fingerprint(key)}." in result.output
    assert "by telephone" in result.output
    assert "It approved the terms" in result.output


def test_enrol_of_a_stranger_is_explained(study: StudyFolder) -> None:
    path, _ = enrolment(study, "stranger")

    result = call("enrol", path, "--study", study.path)

    assert result.exit_code == 1
    assert "stranger was not invited" in result.stderr
    assert "What to do: bs-server invite stranger" in result.stderr


def test_enrol_of_an_absent_file_is_explained(study: StudyFolder) -> None:
    result = call("enrol", study.path / "absent.enrol", "--study", study.path)

    assert result.exit_code == 1
    assert "absent.enrol: cannot be read" in result.stderr


def test_run_does_not_begin_without_every_site(study: StudyFolder) -> None:
    nobody = call("run", study.path)
    call("invite", "aachen", "--role", "train", "--study", study.path)
    invited = call("run", study.path, "--json")

    assert (nobody.exit_code, invited.exit_code) == (1, 1)
    assert "No site is invited to train" in nobody.stderr
    assert "Not enrolled yet: aachen" in invited.stderr


def test_run_does_not_begin_a_study_that_was_changed_after_approval(study: StudyFolder) -> None:
    call("invite", "aachen", "--role", "train", "--study", study.path)
    call("enrol", enrolment(study, "aachen")[0], "--study", study.path)
    study.study_file.write_text(study.study_file.read_text().replace("rounds = 6", "rounds = 7"))

    result = call("run", study.path)

    assert result.exit_code == 1
    assert "changed after it was approved by: aachen" in result.stderr
    assert "What to do: Take the change in study.toml back" in result.stderr


def test_run_explains_every_fault_of_the_study_file(study: StudyFolder) -> None:
    text = study.study_file.read_text()
    study.study_file.write_text(
        text.replace("[study]", "[study]\ncolour = 1", 1).replace("rounds = 6", "rounds = 0")
    )

    result = call("run", study.path)

    assert result.exit_code == 1
    assert "study.colour: Extra inputs are not permitted" in result.stderr
    assert "study.rounds:" in result.stderr


def test_report_before_the_study_ended_is_explained(study: StudyFolder) -> None:
    result = call("report", study.path)

    assert result.exit_code == 1
    assert "summary.json: cannot be read" in result.stderr
    assert "What to do: bs-server run" in result.stderr


def test_report_writes_the_page_again_from_the_summary(study: StudyFolder) -> None:
    study.summary.write_text(json.dumps(finished(study)))

    result = call("report", study.path)

    assert result.exit_code == 0, result.stderr
    assert f"Report: {study.report}" in result.output
    page = study.report.read_text()
    study.report.unlink()
    call("report", study.path)
    assert study.report.read_text() == page


def finished(study: StudyFolder) -> dict[str, object]:
    """A study that was stopped before its first round."""
    settings = study.read().study
    return {
        "study": settings.name,
        "settings": settings.model_dump(),
        "settings_sha256": settings.digest(),
        "synthetic": True,
        "started": "2026-01-02T03:04:05Z",
        "finished": "2026-01-02T03:04:06Z",
        "differences": [],
        "sites": [],
        "rounds": [],
        "best_round": None,
        "chosen_by": "pooled_auc",
        "external": None,
        "versions": {},
        "weights_sha256": None,
    }


def test_demo_leaves_a_folder_alone_that_is_not_its_own(tmp_path: Path) -> None:
    (tmp_path / "thesis.odt").write_text("years of work")

    result = call("demo", "--folder", tmp_path)

    assert result.exit_code == 1
    assert "was not made by the demo" in result.stderr


def test_every_command_says_in_one_sentence_what_it_does() -> None:
    group = typer.main.get_command(app)
    assert isinstance(group, click.Group)

    for name in COMMANDS:
        command = group.get_command(click.Context(group), name)
        assert command is not None
        assert (command.help or "").strip().splitlines()[0].endswith(".")


def test_a_command_of_another_name_is_refused() -> None:
    assert call("no-such").exit_code == 2


def test_the_version_is_that_of_the_package() -> None:
    assert call("--version").stdout == f"bs-server {metadata.version('bs-server')}\n"


def test_looking_at_a_study_waits_for_neither_flower_nor_plots() -> None:
    program = """
import sys
from typer.testing import CliRunner
from bs_server.cli import COMMANDS, app
assert CliRunner().invoke(app, ["status", "absent"]).exit_code == 1
print(sorted({"flwr", "matplotlib", "fastapi", "docx"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)

    assert done.stdout.decode().strip() == "[]"


def test_readers_are_asked_for_after_the_study_and_the_way_there_is_said(
    study: StudyFolder,
) -> None:
    result = call("ask-readers", study.path)

    assert result.exit_code == 1
    assert "summary.json: cannot be read" in result.stderr
    assert "bs-server run STUDY_DIR writes it" in " ".join(result.stderr.split())
