"""The page of all codes, client/CODES.md: ``python -m bs_client.check.codes_page`` prints it."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from bs_client.dicom.codes import IngestWarning, Refusal

INTRODUCTION = """\
# Codes of `bs-client check`

Every file has one verdict: accepted, perhaps with warnings, or one refusal. The codes stand in the
order of the rules that give them; the first refusal ends the reading of an object. Words like
`accept_wrap8` are settings that a site may set under `[ingest]` in its `site.toml`; their reasons
stand in `src/bs_client/dicom/settings.py`.

This page is made from `src/bs_client/dicom/codes.py`; do not edit it:
`python -m bs_client.check.codes_page > client/CODES.md`
"""


def codes_page() -> str:
    """Give the page as Markdown."""
    refusals = _table("Refusals", Refusal)
    warnings = _table("Warnings on accepted scans", IngestWarning)
    return "\n".join((INTRODUCTION, refusals, warnings))


def _table(title: str, codes: Iterable[Refusal | IngestWarning]) -> str:
    lines = [f"## {title}", "", "| code | meaning | what to do |", "|---|---|---|"]
    lines += [f"| `{code.value}` | {code.meaning} | {code.remedy} |" for code in codes]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    sys.stdout.write(codes_page())
