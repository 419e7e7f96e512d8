"""The table of all codes in the client's README, made from the code alone.

``python -m bs_client.check.codes_page client/README.md`` puts it in anew.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from bs_client.dicom.codes import IngestWarning, Refusal
from bs_common.errors import DataError
from bs_common.files import write_atomic

BEGIN = "<!-- codes: python -m bs_client.check.codes_page client/README.md -->"
END = "<!-- end of codes -->"


def codes_table() -> str:
    """Give all codes as one Markdown table, refusals first, in the order of the rules."""
    lines = ["| code | meaning | what to do |", "|---|---|---|"]
    lines += _rows(Refusal)
    lines += _rows(IngestWarning)
    return "\n".join(lines)


def _rows(codes: Iterable[Refusal | IngestWarning]) -> list[str]:
    return [f"| `{code.value}` | {code.meaning} | {code.remedy} |" for code in codes]


def with_codes(page: str) -> str:
    """Give a page with today's table between its two marks; raises DataError if it has none."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise DataError("the page lacks the two marks of the table", remedy=f"{BEGIN} and {END}")
    return f"{before}{BEGIN}\n{codes_table()}\n{END}{after}"


if __name__ == "__main__":
    page = Path(sys.argv[1])
    write_atomic(page, with_codes(page.read_text("utf-8")).encode(), mode=0o644)
