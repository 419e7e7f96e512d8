"""The table of codes in the client's README."""

from __future__ import annotations

from pathlib import Path

import pytest

from bs_client.check.codes_page import BEGIN, END, codes_table, with_codes
from bs_client.dicom.codes import IngestWarning, Refusal
from bs_common.errors import DataError

README = Path(__file__).parents[3] / "client" / "README.md"


def test_the_readme_holds_the_table_made_from_the_code() -> None:
    page = README.read_text("utf-8")

    assert with_codes(page) == page


def test_every_code_has_one_line_with_meaning_and_remedy() -> None:
    lines = [line for line in codes_table().splitlines() if line.startswith("| `")]

    assert len(lines) == len(Refusal) + len(IngestWarning)
    assert all(line.count("|") == 4 for line in lines)


def test_a_new_table_replaces_the_old_one_and_nothing_else() -> None:
    page = f"above\n{BEGIN}\nold\n{END}\nbelow\n"

    assert with_codes(page) == f"above\n{BEGIN}\n{codes_table()}\n{END}\nbelow\n"


def test_a_page_without_a_place_for_the_table_is_refused() -> None:
    with pytest.raises(DataError, match="two marks"):
        with_codes("no place")
