"""Writing the tables of a finished study; no pixel and no study's name is in them."""

from __future__ import annotations

from bs_client.reader.open_study import OpenStudy
from bs_client.reader.readings import FinishedAnswer, collect_answers
from bs_client.reader.tables import answers_csv, imrmc_csv, mrmcaov_csv
from bs_client.reader.workbook import write_workbook
from bs_common.files import write_atomic

WORKBOOK = "reader-study.xlsx"


def export_study(study: OpenStudy, *, unfinished: bool) -> tuple[FinishedAnswer, ...]:
    """Write workbook and CSV files (0600) into the study's `export` folder; give the answers.

    Raises DataError as `collect_answers` says.
    """
    answers = collect_answers(study, unfinished=unfinished)
    folder = study.folder.export
    folder.mkdir(mode=0o700, exist_ok=True)
    tables = {
        WORKBOOK: write_workbook(study, answers),
        "answers.csv": answers_csv(answers),
        "imrmc.csv": imrmc_csv(answers),
        "mrmcaov.csv": mrmcaov_csv(answers),
        "protocol.json": study.folder.protocol.read_bytes(),
    }
    for name, content in tables.items():
        write_atomic(folder / name, content, mode=0o600)
    return answers
