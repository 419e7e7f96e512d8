"""Readers at the real page in Chromium, while the server is killed and a browser is reloaded."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from playwright.sync_api import Browser, Page, expect
from sklearn.metrics import roc_auc_score

from bs_client.phantom import STYLES
from bs_client.phantom.cohort import CohortCounts, write_cohort
from bs_client.reader.case_key import KeyRow, read_key
from bs_client.reader.protocol import ReaderStudyFolder
from support.chromium import chromium
from support.served_study import ServedStudy, bs_client
from support.simulated_readers import Said, say

pytestmark = pytest.mark.integration
FORMULA = "=1+1"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


def make_study(root: Path, *, readers: int, cases: int, practice: int) -> ServedStudy:
    """A study of synthetic scans; some spare, since patients with two scans are read once."""
    spare = practice + 3 + cases // 10
    counts = CohortCounts(
        external_positive=cases // 2 + spare, external_negative=cases // 2 + spare
    )
    labels = write_cohort(
        root / "data", style=STYLES["namur"], counts=counts, seed=11, preset="realistic"
    )
    half = f"{cases // 2}+{cases // 2}"
    options = ("--readers", str(readers), "--cases", half, "--practice", str(practice))
    made = ("new", root / "study", root / "data/scans", "--labels", labels, *options)
    bs_client("reader-study", *made)
    return ServedStudy(root / "study")


@dataclass
class AtThePage:
    """One simulated reader at one real page."""

    reader: str
    page: Page
    key: dict[str, KeyRow]
    requests: list[str]

    def enter(self, link: str) -> None:
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(link)
        self.page.get_by_role("button", name="Enter").click()
        self.page.get_by_role("button", name="Begin").click()

    def code(self) -> str:
        expect(self.page.locator("canvas[data-view=anterior]")).to_be_visible()
        return self.page.locator("#case-name").inner_text().split()[-1]

    def enter_opinion(self, code: str) -> Said:
        said = say(self.reader, code, self.key[code].label)
        self.page.keyboard.type(str(said.score))
        self.page.keyboard.press("m" if said.call else "n")
        if said.comment:
            self.page.locator("#comment").fill(said.comment)
            self.page.keyboard.press("Escape")
        return said

    def submit(self, code: str) -> None:
        self.page.keyboard.press("Enter")
        self.page.keyboard.press("Enter")  # an impatient reader
        self.wait_for_another(code)

    def wait_for_another(self, code: str) -> None:
        name = self.page.locator("#case-name", has_not_text=re.compile(f"{code}$"))
        rest = self.page.get_by_text("You have read all cases")
        expect(name.or_(rest).first).to_be_attached(timeout=60_000)
        if not rest.is_visible():
            expect(name).to_be_attached()

    def read(self, cases: int) -> None:
        for _ in range(cases):
            code = self.code()
            self.enter_opinion(code)
            self.submit(code)


def read_with_reload(at: AtThePage) -> None:
    """Enter everything, let it be kept, reload the page, find it again and submit."""
    code = at.code()
    said = at.enter_opinion(code)
    at.page.locator("#comment").fill("before the reload")
    expect(at.page.locator("#saved")).to_have_text("kept")
    at.page.reload()
    assert at.code() == code
    expect(at.page.locator("#score-number")).to_have_value(str(said.score))
    expect(at.page.locator("#comment")).to_have_value("before the reload")
    at.submit(code)


def read_with_killed_server(at: AtThePage, served: ServedStudy) -> None:
    """Submit to a server that is gone; the page says so, waits, and goes on by itself."""
    code = at.code()
    at.enter_opinion(code)
    at.page.locator("#comment").fill(FORMULA)
    served.kill()
    at.page.keyboard.press("Control+Enter")
    expect(at.page.get_by_text("No connection to the study's server")).to_be_visible()
    served.start()
    at.wait_for_another(code)
    expect(at.page.locator("#lost")).to_be_hidden()


def read_study(served: ServedStudy, browser: Browser, *, readers: int, total: int) -> list[str]:
    """Let everybody read to the end; give the addresses that were asked."""
    key = read_key(ReaderStudyFolder(served.folder).key)
    links = served.links()
    served.start()
    requests: list[str] = []
    for number in range(1, readers + 1):
        context = browser.new_context(viewport={"width": 1366, "height": 768})
        at = AtThePage(f"R{number}", context.new_page(), key, requests)
        at.enter(links[at.reader])
        at.read(total // 2)
        if number == 1:
            read_with_reload(at)
        elif number == 2:
            read_with_killed_server(at, served)
        else:
            at.read(1)
        at.read(total - total // 2 - 1)
        expect(at.page.get_by_text("You have read all cases")).to_be_visible()
        context.close()
    return requests


def check_answers(served: ServedStudy, *, readers: int, total: int) -> None:
    """Nothing lost, nothing double, and what was typed is what is kept."""
    key = read_key(ReaderStudyFolder(served.folder).key)
    with closing(sqlite3.connect(served.folder / "study.sqlite")) as database:
        rows = database.execute(
            "SELECT reader, code, score, call, answer.comment FROM answer "
            "JOIN reading ON reading.id = reading"
        ).fetchall()
    assert len(rows) == len({row[:2] for row in rows}) == readers * total
    for reader, code, score, call, _ in rows:
        said = say(reader, code, key[code].label)
        assert (score, bool(call)) == (said.score, said.call)
    comments = {row[4] for row in rows}
    assert {"before the reload", FORMULA} <= comments


def check_workbook(served: ServedStudy, *, readers: int, cases: int) -> None:
    """The Excel file opens, holds no formula, and gives the analysis that the command gives."""
    bs_client("reader-study", "analyse", served.folder)
    book = openpyxl.load_workbook(served.folder / "export/reader-study.xlsx")
    assert book.sheetnames == ["Summary", "Answers", "Protocol"]
    assert not [c for sheet in book for row in sheet for c in row if c.data_type == "f"]
    head, *rows = book["Answers"].iter_rows(values_only=True)
    answers = [dict(zip(head, row, strict=True)) for row in rows]
    assert FORMULA in {answer["comment"] for answer in answers}
    analysis = json.loads((served.folder / "analysis/analysis.json").read_text())
    for number in range(1, readers + 1):
        own = [a for a in answers if a["reader"] == f"R{number}" and not a["practice"]]
        assert len(own) == cases
        truth = np.array([answer["label"] == "metastasis" for answer in own])
        auc = roc_auc_score(truth, [answer["score"] for answer in own])
        found = analysis["arms"]["unaided"]["readers"][f"R{number}"]["auc"]
        assert found == pytest.approx(auc, abs=1e-12)
        # While the server is gone, or this machine stands still for long, no time is active.
        assert all(0 <= answer["active_s"] <= answer["wall_s"] for answer in own)
        assert np.median([answer["active_s"] for answer in own]) > 0


def run_to_the_end(root: Path, browser: Browser, *, readers: int, cases: int) -> None:
    practice = 2
    served = make_study(root, readers=readers, cases=cases, practice=practice)
    total = cases + practice
    try:
        requests = read_study(served, browser, readers=readers, total=total)
    finally:
        served.stop()
    check_answers(served, readers=readers, total=total)
    check_workbook(served, readers=readers, cases=cases)
    assert all(url.startswith(served.address) for url in requests)


def test_two_readers_read_to_the_end_through_a_killed_server_and_a_reload(
    tmp_path: Path, browser: Browser
) -> None:
    run_to_the_end(tmp_path, browser, readers=2, cases=12)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_six_readers_read_134_cases_through_a_killed_server_and_a_reload(
    tmp_path: Path, browser: Browser
) -> None:
    run_to_the_end(tmp_path, browser, readers=6, cases=134)
