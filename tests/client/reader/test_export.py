"""The tables of a finished study."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import openpyxl
import pytest

from bs_client.reader.case_key import read_key
from bs_client.reader.export import export_study
from bs_client.reader.protocol import Protocol
from bs_client.reader.readings import collect_answers
from bs_common.errors import DataError
from bs_common.joining import read_document
from support.reading_visitors import DAY_MS, MakeStudy, Study

Said = tuple[int, bool, str]
NASTY = ("=1+1", '=HYPERLINK("https://e.org")', "+1", "-2", "https://e.org")


def read_everything(study: Study, *readers: str) -> None:
    key = read_key(study.opened.folder.key)
    for number, name in enumerate(readers):
        comments = iter(NASTY * 20)

        def opinion(code: str, n: int = number, said: Iterator[str] = comments) -> Said:
            label = key[code].label
            return 90 - n if label else 10 + n, label, next(said)

        study.reader(name).read_all(opinion)


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text("utf-8"))))


def test_answers_and_labels_stay_apart_until_everybody_has_finished(study: Study) -> None:
    read_everything(study, "R1")

    with pytest.raises(DataError, match="Not finished: R2"):
        collect_answers(study.opened)

    assert {one.reader for one in collect_answers(study.opened, unfinished=True)} == {"R1"}


def test_no_comment_becomes_a_formula_or_a_link(study: Study) -> None:
    read_everything(study, "R1", "R2")

    export_study(study.opened, unfinished=False)

    book = openpyxl.load_workbook(study.opened.folder.export / "reader-study.xlsx")
    cells = [cell for row in book["Answers"] for cell in row]
    comments = [cell for cell in cells if cell.value in NASTY]
    assert {cell.value for cell in comments} == set(NASTY)  # five cases were read
    assert {cell.data_type for cell in comments} == {"s"}
    assert not [cell for cell in cells if cell.hyperlink or cell.data_type == "f"]


def test_a_long_comment_has_a_row_that_shows_all_of_it(study: Study) -> None:
    """LibreOffice keeps a row's height as it stands in the file."""
    long = "Rib 7 left, most likely a fracture. " * 8
    for name in ("R1", "R2"):
        study.reader(name).read_all(lambda code: (50, True, long if code == "C001" else "short"))

    export_study(study.opened, unfinished=False)

    book = openpyxl.load_workbook(study.opened.folder.export / "reader-study.xlsx")
    heights = {
        row[3].value: book["Answers"].row_dimensions[row[0].row].height
        for row in book["Answers"].iter_rows(min_row=2)
    }
    assert heights["C002"] in (None, 15)
    assert heights["C001"] >= 15 * len(long) / 60


def test_the_workbook_holds_every_answer_a_summary_and_the_protocol(study: Study) -> None:
    read_everything(study, "R1", "R2")
    answers = export_study(study.opened, unfinished=False)

    book = openpyxl.load_workbook(study.opened.folder.export / "reader-study.xlsx")

    assert len(answers) == book["Answers"].max_row - 1 == 10
    summary = [[cell.value for cell in row] for row in book["Summary"].iter_rows(min_row=5)]
    assert [row[:7] for row in summary] == [
        ["R1", "unaided", 4, 2, 0, 2, 0],
        ["R2", "unaided", 4, 2, 0, 2, 0],
    ]
    facts = {row[0].value: row[1].value for row in book["Protocol"].iter_rows()}
    assert facts["protocol_sha256"] == study.opened.protocol.sha256()
    assert book["Summary"]["A2"].value == "Synthetic scans, no clinical claim."


def test_the_csv_files_have_no_comment_and_no_study_uid(study: Study) -> None:
    read_everything(study, "R1", "R2")
    export_study(study.opened, unfinished=False)

    folder = study.opened.folder.export
    texts = [path.read_text("utf-8") for path in folder.glob("*.csv")]

    assert len(texts) == 3
    for row in read_key(study.opened.folder.key).values():
        assert not any(row.study_uid in text for text in texts)
    assert not any(word in text for text in texts for word in ("=1+1", "comment"))


def test_imrmc_and_mrmcaov_get_truth_and_scores_without_practice(study: Study) -> None:
    read_everything(study, "R1", "R2")
    export_study(study.opened, unfinished=False)
    key = read_key(study.opened.folder.key)

    imrmc = rows_of(study.opened.folder.export / "imrmc.csv")
    mrmcaov = rows_of(study.opened.folder.export / "mrmcaov.csv")

    truth = {row["caseID"]: row["score"] for row in imrmc if row["readerID"] == "truth"}
    assert truth == {c: str(int(k.label)) for c, k in key.items() if not k.practice}
    assert {row["modalityID"] for row in imrmc} == {"truth", "unaided"}
    assert len(imrmc) == 4 + 8
    assert len(mrmcaov) == 8
    assert all(row["truth"] == truth[row["case"]] for row in mrmcaov)


def test_a_crossover_compares_the_unaided_with_the_aided_arm(make_study: MakeStudy) -> None:
    study = make_study(sessions=2, with_ai=True, practice=0)
    read_everything(study, "R1", "R2")
    study.clock.forward(29 * DAY_MS / 1000)
    read_everything(study, "R1", "R2")

    answers = collect_answers(study.opened)

    arms = [one.arm for one in answers if one.reader == "R1"]
    assert sorted(arms) == ["aided"] * 4 + ["before-model"] * 4 + ["unaided"] * 4


def test_a_revised_answer_is_final_and_the_first_is_kept(make_study: MakeStudy) -> None:
    study = make_study(allow_back=True, readers=1, practice=0)
    reader = study.reader()
    reader.answer(10, call=False)
    study.clock.forward(100)
    reader.post("back", reader.turn())
    study.clock.forward(7)
    reader.answer(95)
    reader.read_all(lambda code: (50, True, ""))

    first, second = collect_answers(study.opened)[:2]

    assert [(one.score, one.revision, one.final) for one in (first, second)] == [
        (10, 1, False),
        (95, 2, True),
    ]
    assert second.times.wall_s == 7


def test_the_protocol_travels_with_the_tables(study: Study) -> None:
    read_everything(study, "R1", "R2")
    export_study(study.opened, unfinished=False)

    copy = read_document(study.opened.folder.export / "protocol.json", Protocol)

    assert copy.sha256() == study.opened.protocol.sha256()
