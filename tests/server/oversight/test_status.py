"""Looking at a study: as text, as JSON, as a page."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import pytest
from click.testing import Result
from starlette.testclient import TestClient
from typer.testing import CliRunner

from bs_common.lock import own_folder
from bs_common.settings import StudySettings
from bs_common.toml import write_toml
from bs_server.cli import app
from bs_server.config import ServerSettings, StudyFile, StudyFolder
from bs_server.oversight.control import Wish, read_wish
from bs_server.oversight.standing import StandingKeeper
from bs_server.oversight.status import Condition, duration, look
from bs_server.oversight.status_page import StatusPage
from bs_server.oversight.status_page.page import status_app
from bs_server.trust.authority import make_authority

NOW = datetime.datetime.now(datetime.UTC)


@pytest.fixture
def folder(tmp_path: Path) -> StudyFolder:
    """A study in its second round, with a refusal, and a name that must not become markup."""
    folder = StudyFolder(tmp_path)
    settings = StudySettings(name="bones", rounds=3)
    write_toml(folder.study_file, StudyFile(study=settings, server=ServerSettings(address="a:1")))
    make_authority(folder.authority, study="bones", names=["localhost"], now=NOW)
    keeper = StandingKeeper(
        folder,
        study="bones",
        rounds=3,
        roles={"aachen": "train", "aalborg": "train", "namur": "evaluate"},
        clock=lambda: NOW,
    )
    keeper("back", site="aachen")
    keeper("begun", round=2, rounds=3)
    keeper("asked", site="aachen", message="train", round=2)
    keeper("progress", site="aachen", phase="training", progress=0.4)
    keeper("damaged", round=1, why="<script>alert(1)</script>")
    row = {"pooled_auc": 0.75, "validation_loss": 0.5, "seconds": 2.5, "without": {}}
    keeper("round", round=1, rounds=3, **row)
    keeper("begun", round=2, rounds=3)
    keeper("refused", round=2, name="aalborg", message="train", attempt=1, reason="update_norm")
    keeper.beat()
    return folder


def call(*words: str | Path) -> Result:
    result = CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": "120"})
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_a_study_that_runs_is_told_by_its_lock(folder: StudyFolder) -> None:
    with own_folder(folder.path, program="bs-server run"):
        seen = look(folder, NOW)

    assert seen.condition is Condition.RUNNING
    assert seen.headline == "round 2 of 3"
    assert seen.certificate_days == 396


def test_a_study_whose_process_is_gone_is_not_running(folder: StudyFolder) -> None:
    seen = look(folder, NOW)

    assert seen.condition is Condition.NOT_RUNNING
    assert seen.headline == "not running; last: round 2 of 3"


def test_a_process_that_no_longer_writes_is_not_responding(folder: StudyFolder) -> None:
    with own_folder(folder.path, program="bs-server run"):
        seen = look(folder, NOW + datetime.timedelta(minutes=5))

    assert seen.condition is Condition.NOT_RESPONDING
    assert "for 5 min" in seen.headline


def test_what_needs_attention_is_said(folder: StudyFolder) -> None:
    with own_folder(folder.path, program="bs-server run"):
        warnings = look(folder, NOW + datetime.timedelta(days=380)).warnings
        away = look(folder, NOW).warnings

    assert "the server certificate ends in 16 days" in warnings
    assert "namur is away" in away


def test_status_shows_sites_rounds_and_refusals(folder: StudyFolder) -> None:
    result = call("status", folder.path)

    assert result.exit_code == 0
    for words in ("aachen", "works on train, round 2", "40%", "update_norm", "0.750", "disk free"):
        assert words in result.output


def test_status_as_json_is_one_object_for_programs(folder: StudyFolder) -> None:
    told = json.loads(call("status", folder.path, "--json").output)

    assert (told["condition"], told["round"], told["rounds"]) == ("not running", 2, 3)
    assert [site["name"] for site in told["sites"]] == ["aachen", "aalborg", "namur"]
    assert told["sites"][0]["progress"] == 0.4
    assert told["certificate_days"] == 396


def test_status_of_a_study_that_never_ran_is_explained(folder: StudyFolder) -> None:
    folder.standing.unlink()

    result = call("status", folder.path)

    assert result.exit_code == 1
    assert "never run" in result.stderr


def test_a_second_run_on_the_same_folder_is_refused_with_the_owner(folder: StudyFolder) -> None:
    with own_folder(folder.path, program="bs-server run"):
        result = call("run", folder.path)

    assert result.exit_code == 1
    assert "is in use by bs-server run, process" in result.stderr


def test_stop_of_a_study_that_does_not_run_changes_nothing(folder: StudyFolder) -> None:
    result = call("stop", folder.path)

    assert result.exit_code == 0
    assert "does not run" in result.output
    assert not folder.control.exists()


def test_pause_and_resume_leave_the_wish_for_the_study(folder: StudyFolder) -> None:
    assert call("pause", folder.path).exit_code == 0
    assert read_wish(folder.control) is Wish.PAUSE

    assert "Not running" in call("resume", folder.path).output
    assert read_wish(folder.control) is Wish.RUN


@pytest.mark.parametrize("command", ["status", "stop", "pause", "resume"])
def test_a_folder_without_a_study_is_explained(tmp_path: Path, command: str) -> None:
    result = call(command, tmp_path)

    assert result.exit_code == 1
    assert "holds no study.toml" in result.stderr


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-1, "0 s"), (59, "59 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (2e5, "2 d")],
)
def test_a_duration_is_said_in_its_largest_unit(seconds: float, said: str) -> None:
    assert duration(seconds) == said


@pytest.fixture
def client(folder: StudyFolder) -> TestClient:
    return TestClient(status_app(folder, lambda: NOW), base_url="http://127.0.0.1")


def test_the_page_shows_the_same_and_refreshes_itself(client: TestClient) -> None:
    page = client.get("/")

    assert page.status_code == 200
    for words in ("round 2 of 3", "works on train, round 2", "update_norm", "396 days left"):
        assert words in page.text
    assert '<meta http-equiv="refresh" content="5">' in page.text


def test_the_page_holds_no_script_and_takes_none_in(client: TestClient) -> None:
    page = client.get("/")

    assert "<script" not in page.text
    assert "&lt;script&gt;" in page.text
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy
    assert "style=" not in page.text
    assert client.get("/status.css").headers["content-type"].startswith("text/css")


def test_another_name_for_this_machine_is_refused(client: TestClient) -> None:
    assert client.get("/", headers={"host": "evil.example.org"}).status_code == 400


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_nothing_can_be_changed_through_the_page(client: TestClient, method: str) -> None:
    assert client.request(method, "/").status_code == 405


def test_the_page_without_a_standing_says_so(folder: StudyFolder) -> None:
    folder.standing.unlink()

    page = TestClient(status_app(folder, lambda: NOW), base_url="http://127.0.0.1").get("/")

    assert page.status_code == 503
    assert "never run" in page.text


def test_the_page_is_served_on_loopback_alone(folder: StudyFolder) -> None:
    import httpx

    with StatusPage(folder, 0, lambda: NOW) as page:
        got = httpx.get(f"http://127.0.0.1:{page.port}/", timeout=10)

    assert got.status_code == 200
    assert "server" not in got.headers
