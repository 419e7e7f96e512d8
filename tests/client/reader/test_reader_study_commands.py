"""The commands of a reader study, from drawing to analysis."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from bs_client.cli import app
from bs_client.cli.reader_study import app as commands

SMALL = ("--cases", "2+2", "--practice", "0", "--readers", "2")


def call(*words: str | Path) -> Result:
    result = CliRunner().invoke(app, ["reader-study", *map(str, words)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def new(cohort: Path, folder: Path, *options: str | Path) -> Result:
    return call("new", folder, cohort / "scans", "--labels", cohort / "labels.csv", *options)


def test_new_makes_a_study_and_prints_a_link_for_everybody(cohort: Path, tmp_path: Path) -> None:
    result = new(cohort, tmp_path / "study", *SMALL)

    assert result.exit_code == 0, result.output
    assert "2 cases with and 2 without metastasis" in result.output
    assert result.output.count("http://127.0.0.1:8765/enter/") == 3  # the lead, R1, R2
    assert "Then: bs-client reader-study serve" in result.output
    assert len(list((tmp_path / "study/cases").iterdir())) == 4


def test_new_leaves_an_existing_folder_alone(cohort: Path, tmp_path: Path) -> None:
    new(cohort, tmp_path / "study", *SMALL)
    before = (tmp_path / "study/key.csv").read_bytes()

    result = new(cohort, tmp_path / "study", *SMALL, "--seed", "9")

    assert result.exit_code == 1
    assert "exists already" in result.stderr
    assert (tmp_path / "study/key.csv").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["study"]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--cases", "40+40"), "can be drawn, expected at least"),
        (("--with-ai",), "no result of a model to show"),
        (("--name", "Dr Who"), "cannot be made so: name"),
        (("--model", "/nowhere"), "no results of a model"),
        (("--list", "/nowhere.txt"), "cannot be read"),
    ],
)
def test_new_explains_what_cannot_be_done(
    cohort: Path, tmp_path: Path, options: tuple[str, ...], reason: str
) -> None:
    result = new(cohort, tmp_path / "study", *SMALL, *options)

    assert result.exit_code == 1
    assert reason in result.stderr
    assert "What to do:" in result.stderr
    assert not (tmp_path / "study").exists()


def test_a_list_and_exclusions_are_files_of_study_uids(cohort: Path, tmp_path: Path) -> None:
    rows = (cohort / "labels.csv").read_text().splitlines()[1:]
    uids = [row.split(",")[0] for row in rows]
    (tmp_path / "list.txt").write_text("# chosen by hand\n" + "\n".join(uids) + "\n")
    (tmp_path / "not.txt").write_text(f"{uids[0]}  # unclear reference\n")

    taken = new(cohort, tmp_path / "a", *SMALL, "--list", tmp_path / "list.txt")
    clash = new(
        cohort, tmp_path / "b", *SMALL, "--list", tmp_path / "list.txt", "--exclude",
        tmp_path / "not.txt",
    )  # fmt: skip

    assert "3 cases with and 3 without metastasis" in taken.output
    assert "1 listed studies are no accepted scan" in clash.stderr


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--listen", "0.0.0.0"), "others on the network could read along"),
        (("--address", "https://reading.example:8765"), "needs --certificate and --key"),
        (("--address", "reading.example"), "is not complete"),
        (("--certificate", "x.pem", "--key", "x.key"), "takes neither"),
    ],
)
def test_answers_never_travel_in_the_open(
    cohort: Path, tmp_path: Path, options: tuple[str, ...], reason: str
) -> None:
    new(cohort, tmp_path / "study", *SMALL)

    result = call("serve", tmp_path / "study", *options)

    assert result.exit_code == 1
    assert reason in result.stderr


def test_a_link_for_nobody_and_a_study_that_is_not_there_are_explained(
    cohort: Path, tmp_path: Path
) -> None:
    new(cohort, tmp_path / "study", *SMALL)

    assert "There is no reader R3" in call("link", tmp_path / "study", "--reader", "R3").stderr
    assert "cannot be read" in call("link", tmp_path / "elsewhere").stderr


def test_export_and_analyse_before_the_end_are_explained(cohort: Path, tmp_path: Path) -> None:
    new(cohort, tmp_path / "study", *SMALL)

    for command in ("export", "analyse"):
        result = call(command, tmp_path / "study")
        assert result.exit_code == 1
        assert "Not finished: R1, R2" in result.stderr
        assert not (tmp_path / "study/export").exists()


def test_every_command_says_in_one_sentence_what_it_does() -> None:
    for command in commands.registered_commands:
        text = (command.callback.__doc__ or "") if command.callback else ""
        assert text.strip().splitlines()[0].endswith(".")
