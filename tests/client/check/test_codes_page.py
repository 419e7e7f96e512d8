"""The page of codes."""

from __future__ import annotations

from pathlib import Path

from bs_client.check.codes_page import codes_page
from bs_client.dicom.codes import IngestWarning, Refusal

CODES = Path(__file__).parents[3] / "client" / "CODES.md"


def test_the_page_of_codes_is_the_one_made_from_the_code() -> None:
    assert CODES.read_text("utf-8") == codes_page()


def test_every_code_has_one_line_with_meaning_and_remedy() -> None:
    lines = [line for line in codes_page().splitlines() if line.startswith("| `")]

    assert len(lines) == len(Refusal) + len(IngestWarning)
    assert all(line.count("|") == 4 for line in lines)
