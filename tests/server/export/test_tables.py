"""Every table of the report as cells, CSV and a workbook."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

import openpyxl
import pytest

from bs_server.export.table import Cell, Table, csv_of
from bs_server.export.tables import all_tables
from bs_server.export.workbook import SYNTHETIC, write_workbook
from bs_server.results.summary import Summary

Changed = Callable[..., Summary]
Row = dict[str, Cell]


def rows_of(summary: Summary, name: str) -> list[Row]:
    table = next(table for table in all_tables(summary) if table.name == name)
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


@pytest.fixture(scope="module")
def book(summary: Summary) -> openpyxl.Workbook:
    return openpyxl.load_workbook(io.BytesIO(write_workbook(summary, all_tables(summary))))


def test_every_part_of_the_report_has_its_table(summary: Summary) -> None:
    assert [table.name for table in all_tables(summary)] == [
        *("study", "cohort", "flow", "rounds", "replies"),
        *("external", "roc", "scores", "calibration", "decision_curve", "subgroups", "maps"),
        *("messages", "policies", "refusals", "settings", "environment", "digests"),
    ]


@pytest.mark.parametrize("name", ["external", "roc", "calibration", "decision_curve", "subgroups"])
def test_each_site_and_all_pooled_stand_in_the_external_tables(summary: Summary, name: str) -> None:
    assert {row["site"] for row in rows_of(summary, name)} == {"namur", "nancy", "pooled"}


def test_maps_against_masks_stand_with_each_site(summary: Summary) -> None:
    rows = rows_of(summary, "maps")

    assert {row["site"] for row in rows} == {"namur", "nancy"}
    outside = [row for row in rows if row["measure"] == "share outside-body"]
    assert [row["value"] for row in outside] == [0.12, 0.12]


def test_the_flow_adds_up_to_the_scans_that_were_judged(summary: Summary) -> None:
    namur = [row for row in rows_of(summary, "flow") if row["site"] == "namur"]

    def scans(step: str) -> int:
        return sum(int(row["scans"] or 0) for row in namur if row["step"] == step)

    assert scans("used") == scans("external") == scans("judged") == 600


def test_a_hidden_cell_is_empty_and_says_why(summary: Summary) -> None:
    row = next(
        row
        for row in rows_of(summary, "cohort")
        if (row["site"], row["split"]) == ("aachen", "validation")
    )

    assert (row["metastasis"], row["total"]) == (None, None)
    assert row["hidden"] == "metastasis: small_cell"


def test_a_count_below_the_limit_is_empty_in_the_flow_too(summary: Summary) -> None:
    # Three scans of each evaluate site could not be judged: fewer than it lets out.
    rows = [row for row in rows_of(summary, "flow") if row["step"] == "could not be judged"]

    assert [(row["detail"], row["scans"], row["hidden"]) for row in rows] == [
        ("E_VANISHED", None, "small_cell")
    ] * 2


def test_what_one_site_hides_is_hidden_for_all(summary: Summary) -> None:
    hidden = [row for row in rows_of(summary, "subgroups") if row["tp"] is None]

    assert {row["site"] for row in hidden} == {"nancy", "pooled"}
    assert all("tp: small_cell" in str(row["hidden"]) for row in hidden)
    assert all(row["sensitivity"] is None for row in hidden)


def test_a_table_that_is_hidden_whole_keeps_a_row_that_says_so(
    changed: Changed, summary: Summary
) -> None:
    answer = summary.external_sites[0].model_dump()
    answer |= dict.fromkeys(("roc", "scores", "calibration"))
    answer["hidden"] |= dict.fromkeys(("roc", "scores", "calibration"), "small_cell")

    found = changed(external=answer, external_sites=[])

    for name in ("roc", "scores", "calibration"):
        rows = rows_of(found, name)
        assert [row.pop("hidden") for row in rows] == ["small_cell"]
        assert set(rows[0].values()) == {"namur", None}


def test_without_an_external_result_its_tables_are_left_out(changed: Changed) -> None:
    names = [t.name for t in all_tables(changed(external=None, external_sites=[]))]

    assert "external" not in names
    assert "rounds" in names


def test_the_workbook_holds_the_same_cells_as_the_csv_files(
    summary: Summary, book: openpyxl.Workbook
) -> None:
    tables = all_tables(summary)

    assert book.sheetnames == ["Contents", *(table.name for table in tables)]
    for table in tables:
        columns, *rows = list(book[table.name].iter_rows(min_row=3, values_only=True))
        assert columns == table.columns
        assert [tuple(row) for row in rows] == [
            tuple(pytest.approx(c) if isinstance(c, float) else c for c in row)
            for row in table.rows
        ]
        read = list(csv.reader(io.StringIO(csv_of(table).decode())))
        assert len(read) == len(rows) + 1


def test_no_cell_of_the_workbook_is_a_formula(book: openpyxl.Workbook) -> None:
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]

    assert any(cell.value == "=GPU()" for cell in cells)
    # openpyxl marks any text that begins with "=" unless the file says it is a string.
    assert {cell.data_type for cell in cells} <= {"s", "n"}


def test_a_text_that_begins_like_a_formula_is_harmless_in_a_csv() -> None:
    table = Table("t", "T", ("a", "b", "c"), (("=HYPERLINK(1)", "@x", -1.5), ("plain", None, 2)))

    assert csv_of(table).decode().splitlines() == ["a,b,c", "'=HYPERLINK(1),'@x,-1.5", "plain,,2"]


def test_every_sheet_of_synthetic_scans_says_so(changed: Changed) -> None:
    found = changed(synthetic=True)

    content: Any = openpyxl.load_workbook(io.BytesIO(write_workbook(found, all_tables(found))))

    assert all(sheet["A2"].value == SYNTHETIC for sheet in content)


def test_the_same_summary_gives_the_same_workbook(summary: Summary) -> None:
    tables = all_tables(summary)

    assert write_workbook(summary, tables) == write_workbook(summary, tables)
