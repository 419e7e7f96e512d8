"""Calls counted apart by sex, age, scanner, counts and lesions: does the model serve all alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bs_client.data.labels import Sex
from bs_common.contract import SUBGROUPS
from bs_common.metrics import Confusion, confusion

Flags = NDArray[np.bool_]
Tables = dict[tuple[str, str], Confusion]  # by (variable, level), as the contract names them

SEX_LEVELS = {Sex.FEMALE: "female", Sex.MALE: "male", Sex.OTHER: "other"}
AGE_FROM_YEARS = (50, 65, 75)
COUNTS_FROM = (1_000_000, 3_000_000)
LESIONS_FROM = (3, 10)
# Words in (0008,0070) Manufacturer, which each vendor has spelled in several ways.
SCANNER_WORDS = {"siemens": "siemens", "ge ": "ge", "general electric": "ge", "philips": "philips"}
SCANNER_WORDS |= {"adac": "philips", "picker": "philips", "marconi": "philips"}


@dataclass(frozen=True, slots=True)
class Traits:
    """What is known of a scan besides its pixels; None where it is not.

    age : years.
    scanner : manufacturer and model, as the object states them.
    counts : of both views together.
    lesions : separate spots in its masks, of the view that shows more of them.
    """

    sex: Sex | None = None
    age: float | None = None
    scanner: str | None = None
    counts: float | None = None
    lesions: int | None = None

    def levels(self) -> dict[str, str]:
        """Give the level of every variable that is known, in the contract's words."""
        levels = {}
        if self.sex is not None:
            levels["sex"] = SEX_LEVELS[self.sex]
        if self.age is not None:
            levels["age"] = _band("age", self.age, AGE_FROM_YEARS)
        if self.scanner:
            levels["scanner"] = _vendor(self.scanner)
        if self.counts is not None:
            levels["counts"] = _band("counts", self.counts, COUNTS_FROM)
        if self.lesions:
            levels["lesions"] = _band("lesions", self.lesions, LESIONS_FROM)
        return levels


def _band(variable: str, value: float, bounds: Sequence[float]) -> str:
    return SUBGROUPS[variable][int(np.searchsorted(bounds, value, side="right"))]


def _vendor(scanner: str) -> str:
    text = f"{scanner.casefold()} "
    return next((name for word, name in SCANNER_WORDS.items() if text.startswith(word)), "other")


def tabulate(traits: Sequence[Traits], calls: Flags, labels: Flags) -> Tables:
    """Count the calls of every level that a scan has.

    Parameters
    ----------
    traits : of each scan, in the order of the calls.
    calls, labels : (scans,) True for metastasis.

    Returns
    -------
    Tables of the levels of every variable that is known of any scan; a level without scans has an
    empty table, a variable of which nothing is known is left out.
    """
    levels = [one.levels() for one in traits]
    tables: Tables = {}
    for variable, names in SUBGROUPS.items():
        of_scans = np.array([one.get(variable, "") for one in levels])
        if (of_scans == "").all():
            continue
        for name in names:
            chosen = of_scans == name
            tables[variable, name] = confusion(calls[chosen], labels[chosen])
    return tables
