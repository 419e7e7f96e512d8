"""Labels in the numbers of the paper's Table 1, so that cohort code can be held against it.

The paper gives neither age nor sex nor patients; every scan is a patient of its own here.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterable, Mapping
from pathlib import Path

# (site, split) -> scans with metastasis, without, as Table 1 prints them.
TABLE_1: Mapping[tuple[str, str], tuple[int, int]] = {
    ("aachen", "train"): (235, 668),
    ("aachen", "validation"): (58, 58),
    ("aalborg", "train"): (94, 206),
    ("aalborg", "validation"): (24, 24),
    ("namur", "external"): (411, 587),
}
# What Table 1's headings and the text beside it say.
PRINTED_TOTALS = {"train": 1203, "validation": 164, "external": 998}
PRINTED_TRAINING = (329, 874)

HEADER = ("study_uid", "patient_id", "label", "split", "site")


def paper_rows() -> list[tuple[str, ...]]:
    """Give 2,365 rows in an order that tells nothing."""
    rows: list[tuple[str, ...]] = []
    for (site, split), counts in TABLE_1.items():
        for label, count in zip(("metastasis", "no_metastasis"), counts, strict=True):
            names = [f"{site}.{split}.{label}.{number}" for number in range(count)]
            rows += [(f"1.2.3.{name}", name, label, split, site) for name in names]
    random.Random(2365).shuffle(rows)
    return rows


def write_rows(path: Path, rows: Iterable[tuple[str, ...]]) -> Path:
    """Write a labels file; the column `site` is one that the product does not know."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        writer.writerows(rows)
    return path
