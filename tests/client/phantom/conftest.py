"""A handful of studies, drawn once for all tests of the phantom."""

from __future__ import annotations

import pytest

from bs_client.phantom import STYLES, PhantomStudy, draw_study


@pytest.fixture(scope="session")
def studies() -> tuple[PhantomStudy, ...]:
    """Four studies of each site, negatives and positives in turn."""
    return tuple(
        draw_study(11, number, style=style, label=bool(number % 2), preset="realistic")
        for style in STYLES.values()
        for number in range(4)
    )
