"""A reader study of a real site's own scans, read to the end and analysed."""

from __future__ import annotations

from pathlib import Path

from bs_client.config import SiteFolder
from bs_client.reader.case_key import read_key
from bs_client.reader.open_study import open_study
from bs_client.reader.protocol import ReaderStudyFolder
from support.reading_visitors import Clock, Study
from support.served_study import bs_client
from support.simulated_readers import say

COMMENT = "rib 7 on the left, I am not sure"


def read_to_the_end(site: SiteFolder, folder: Path, *, readers: int = 2, cases: int = 4) -> None:
    """Draw, read and analyse a study with the site's commands; `cases` of each class."""
    draw = ("--readers", str(readers), "--cases", f"{cases}+{cases}", "--practice", "0")
    bs_client("reader-study", "new", folder, site.path, *draw, "--model", site.private)
    clock = Clock()
    study = Study(open_study(ReaderStudyFolder(folder), clock), clock)
    key = read_key(study.opened.folder.key)
    for number in range(1, readers + 1):
        name = f"R{number}"
        reader = study.reader(name)

        def opinion(code: str, whose: str = name) -> tuple[int, bool, str]:
            said = say(whose, code, key[code].label)
            return said.score, said.call, COMMENT

        reader.read_all(opinion)
    study.opened.store.close()
    bs_client("reader-study", "analyse", folder)
