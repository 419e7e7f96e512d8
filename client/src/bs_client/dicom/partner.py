"""Find the two views that belong together in a study (ingest rule 16)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import product

import numpy as np

from bs_client.dicom.codes import Finding, IngestWarning, Refusal, refused
from bs_client.dicom.header import Header
from bs_client.dicom.objects import ScanObject
from bs_client.dicom.scan import ViewImage
from bs_client.dicom.view_words import View

MAX_DELAY = timedelta(minutes=10)
# Two passes of one detector: the second view is acquired after the first.
MAX_TWO_PASS_DELAY = timedelta(minutes=60)
TWO_PASS = "2PS"  # noqa: S105 (Whole Body Technique, PS3.3 C.8.4.9)
SPACING_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True)
class Pair:
    """An anterior and a posterior view; both objects are the same if it holds two frames."""

    anterior_object: ScanObject
    posterior_object: ScanObject

    @property
    def anterior(self) -> ViewImage:
        """Give the anterior image."""
        return self.anterior_object.views[View.ANTERIOR]

    @property
    def posterior(self) -> ViewImage:
        """Give the posterior image."""
        return self.posterior_object.views[View.POSTERIOR]

    @property
    def objects(self) -> tuple[ScanObject, ...]:
        """Give the one or two objects."""
        if self.anterior_object is self.posterior_object:
            return (self.anterior_object,)
        return self.anterior_object, self.posterior_object


def find_pairs(objects: Sequence[ScanObject]) -> tuple[Pair, ...]:
    """Give every pair of views that may belong together: complete objects and fitting singles."""
    complete = [Pair(one, one) for one in objects if len(one.views) == 2]
    singles = [one for one in objects if len(one.views) == 1]
    joined = [
        Pair(anterior, posterior)
        for anterior, posterior in product(singles, singles)
        if View.ANTERIOR in anterior.views
        and View.POSTERIOR in posterior.views
        and belong_together(anterior.header, posterior.header)
    ]
    return (*complete, *joined)


def belong_together(first: Header, second: Header) -> bool:
    """Tell whether two single-view objects are one acquisition.

    Same study, matrix, spacing and radionuclide (where both state one), and acquired within 10
    minutes, 60 for two-pass scans. Objects that both state no time may belong together; where
    only one does they do not.
    """
    return (
        first.study_uid == second.study_uid != ""
        and (first.rows, first.columns) == (second.rows, second.columns)
        and _same_spacing(first.spacing_mm, second.spacing_mm)
        and (first.radionuclide == second.radionuclide or not _both_nuclides(first, second))
        and _near_in_time(first, second)
    )


def _both_nuclides(first: Header, second: Header) -> bool:
    return bool(first.radionuclide and second.radionuclide)


def _same_spacing(first: tuple[float, float] | None, second: tuple[float, float] | None) -> bool:
    if first is None or second is None:
        return first is second
    return all(map(lambda a, b: math.isclose(a, b, rel_tol=SPACING_TOLERANCE), first, second))


def _near_in_time(first: Header, second: Header) -> bool:
    if first.acquired is None or second.acquired is None:
        return first.acquired is second.acquired
    two_pass = TWO_PASS in (first.technique, second.technique)
    allowed = MAX_TWO_PASS_DELAY if two_pass else MAX_DELAY
    return abs(first.acquired - second.acquired) <= allowed


def choose_pair(pairs: Sequence[Pair]) -> tuple[Pair, tuple[Finding, ...]]:
    """Choose the newest ORIGINAL pair with most counts.

    pairs : at least one.
    Raises ScanRefused with E_AMBIGUOUS if the two best are equal in all three.
    """
    ranked = sorted(pairs, key=_rank, reverse=True)
    if len(ranked) == 1:
        return ranked[0], ()
    if _rank(ranked[0]) == _rank(ranked[1]):
        received = f"{len(ranked)} pairs, the best equal in originality, time and counts"
        raise refused(Refusal.E_AMBIGUOUS, received)
    return ranked[0], (Finding(IngestWarning.W_MULTIPLE_CANDIDATES, f"{len(ranked)} pairs"),)


def _rank(pair: Pair) -> tuple[bool, datetime, datetime, float]:
    headers = [one.header for one in pair.objects]
    times = sorted(header.acquired or datetime.min for header in headers)  # noqa: DTZ901 (order only)
    counts = sum(
        float(view.counts.sum(dtype=np.float64)) for view in (pair.anterior, pair.posterior)
    )
    # Image Type value 1; objects without it count as original.
    original = all("DERIVED" not in header.image_type[:1] for header in headers)
    return original, times[0], times[-1], counts
